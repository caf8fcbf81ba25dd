//! Who a session is, for people. Nothing here takes part in a decision.

use serde::{Deserialize, Serialize};

/// Who runs what, and where. Every field is optional and may be cut short to fit a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The person or bot that started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The user as the system knows it, where that is not the actor. Terraform signs its own state
    /// lock with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Process id of the supervisor on that machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Link to the CI run or job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `owner/name` of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Commit being run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Pull or merge request, as the CI writes it: `#12` or `!12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The command under the lock, redacted before it comes here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why, in the words of `--reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Bytes of JSON that a holder's identity may take.
pub(super) const HOLDER_BUDGET: usize = 244;
/// Bytes of JSON that a waiter's identity may take.
pub(super) const WAITER_BUDGET: usize = 244;

/// Bytes of JSON that the identity of a run that is over may take.
const HISTORY_BUDGET: usize = 800;

impl Identity {
    /// The whole identity, cut to what an item of the history has room for.
    #[must_use]
    pub fn for_history(&self) -> Self {
        self.clone().fitted(HISTORY_BUDGET)
    }

    /// The whole identity, cut to what a holder's entry has room for.
    #[must_use]
    pub fn for_holder(&self) -> Self {
        self.clone().fitted(HOLDER_BUDGET)
    }

    /// The part that others need of a waiter: who, where, the link and the command.
    #[must_use]
    pub fn for_waiter(&self) -> Self {
        Self { repository: None, commit: None, ..self.clone() }.fitted(WAITER_BUDGET)
    }

    /// Cuts the longest text first until the JSON fits; the link goes whole or not at all, since
    /// a cut link leads nowhere.
    fn fitted(mut self, budget: usize) -> Self {
        if self.url.as_ref().is_some_and(|url| json_len(url) > budget / 2) {
            self.url = None;
        }
        while json_len(&self) > budget {
            let over = json_len(&self) - budget;
            let Some(longest) = self.texts().into_iter().max_by_key(|text| json_len(&**text)) else {
                break;
            };
            if longest.is_empty() {
                break;
            }
            shorten(longest, over);
        }
        self
    }

    fn texts(&mut self) -> Vec<&mut String> {
        [
            &mut self.actor,
            &mut self.user,
            &mut self.host,
            &mut self.repository,
            &mut self.commit,
            &mut self.change,
            &mut self.command,
            &mut self.reason,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Takes at least one character, and about `over` bytes (at most half the text) off the end, so
/// that several long texts shrink together.
fn shorten(text: &mut String, over: usize) {
    let cut = over.clamp(1, (text.len() / 2).max(1));
    let mut keep = text.len() - cut;
    while !text.is_char_boundary(keep) {
        keep -= 1;
    }
    text.truncate(keep);
}

/// The text, cut so that its JSON takes at most `budget` bytes.
pub(super) fn cut(text: &str, budget: usize) -> String {
    let mut text = text.to_owned();
    while !text.is_empty() && json_len(&text) > budget {
        let over = json_len(&text) - budget;
        shorten(&mut text, over);
    }
    text
}

fn json_len<T: Serialize + ?Sized>(value: &T) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbose() -> Identity {
        Identity {
            actor: Some("a".repeat(300)),
            user: Some("u".repeat(30)),
            host: Some("host".repeat(40)),
            pid: Some(u32::MAX),
            url: Some("https://github.com/example/infrastructure/actions/runs/12345678901/attempts/1".into()),
            repository: Some("\u{1b}".repeat(200)),
            commit: Some("c".repeat(40)),
            change: Some("#123456".into()),
            command: Some("ä".repeat(400)),
            reason: Some("\"\\".repeat(300)),
        }
    }

    #[test]
    fn entries_fit_their_budget_whatever_is_in_them() {
        assert!(json_len(&verbose().for_holder()) <= HOLDER_BUDGET);
        assert!(json_len(&verbose().for_waiter()) <= WAITER_BUDGET);
    }

    #[test]
    fn a_link_is_kept_whole_and_a_monstrous_one_dropped() {
        assert_eq!(verbose().for_holder().url, verbose().url);
        let long = Identity { url: Some(format!("https://ci/{}", "x".repeat(500))), ..verbose() };
        assert_eq!(long.for_holder().url, None);
    }

    #[test]
    fn a_short_identity_is_left_alone() {
        let short = Identity { actor: Some("ann".into()), pid: Some(7), ..Identity::default() };
        assert_eq!(short.for_holder(), short);
        assert_eq!(short.for_waiter(), short);
        assert_eq!(short.for_history(), short);
    }

    #[test]
    fn a_waiter_goes_without_repository_and_commit_and_the_history_keeps_them() {
        let all = Identity {
            actor: Some("ann".into()),
            repository: Some("acme/infra".into()),
            commit: Some("c".repeat(40)),
            command: Some("x".repeat(400)),
            ..Identity::default()
        };
        let waiter = all.for_waiter();
        assert_eq!((waiter.repository, waiter.commit, waiter.actor), (None, None, all.actor.clone()));
        assert_eq!(all.for_history(), all);
    }

    #[test]
    fn what_fits_to_the_byte_is_left_alone() {
        let of = |command: usize| Identity { command: Some("x".repeat(command)), ..Identity::default() };
        let room = HOLDER_BUDGET - json_len(&of(0));
        assert_eq!(of(room).for_holder(), of(room));
        assert_eq!(of(room + 1).for_holder(), of(room));
        let link = |url: usize| Identity { url: Some("x".repeat(url)), ..Identity::default() };
        let half = HOLDER_BUDGET / 2 - 2;
        assert_eq!(link(half).for_holder(), link(half));
        assert_eq!(link(half + 1).for_holder().url, None);
    }

    #[test]
    fn long_texts_shrink_together() {
        let long = |n: usize| Some("x".repeat(n));
        let cut = Identity { actor: long(300), command: long(300), ..Identity::default() }.for_holder();
        let lengths = [cut.actor, cut.command].map(|text| text.map_or(0, |text| text.len()));
        assert!(lengths.iter().all(|length| (75..=150).contains(length)), "{lengths:?}");
        assert!(lengths.iter().sum::<usize>() >= 200, "{lengths:?}");
    }

    #[test]
    fn a_text_is_cut_to_the_byte() {
        assert_eq!(cut("abcdef", 8), "abcdef");
        assert_eq!(cut("abcdef", 7), "abcde");
        assert_eq!(cut("abcdef", 2), "");
        // Two bytes each: not within a character.
        assert_eq!(cut("ääää", 9), "äää");
        assert_eq!(cut("", 0), "");
    }
}
