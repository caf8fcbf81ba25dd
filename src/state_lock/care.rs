//! Looking after the state lock around a run: what a dead run before left, and what our own child
//! left.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Dead, Finding, Policy, Terraform, free_if_dead, own_names};
use crate::escape;
use crate::lease::Last;
use crate::report::event::{Event, Level};
use crate::terraform::lock_info::LockInfo;

/// What a run, and its guardian, need to look after the state lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Care {
    /// The Terraform that works on the state.
    pub terraform: Terraform,
    /// What may be freed.
    pub policy: Policy,
    /// The run plans only, and 2 is its code for changes.
    pub detailed_exitcode: bool,
}

impl Care {
    /// Whether a Terraform that ended with `exit_code` (`None`: by a signal) may have left its
    /// lock. One that ends in order releases it; 2 is also what SIGQUIT makes of it, and 11 a panic.
    pub fn may_have_left(&self, exit_code: Option<i32>) -> bool {
        match exit_code {
            None | Some(11) => true,
            Some(2) => !self.detailed_exitcode,
            Some(_) => false,
        }
    }

    /// After our own child's death, which took its lock between `from` and `to`. What there is to
    /// say about it.
    pub async fn after_own(&self, from: Timestamp, to: Timestamp) -> Option<Event> {
        let dead = Dead { names: own_names(), from, to, own: true };
        self.tell(free_if_dead(&self.terraform, &dead, self.policy).await, "the command that died")
    }

    /// Before our child starts, after a run that did not end well. What there is to say about it.
    pub async fn after_previous(&self, last: &Last, now: Timestamp) -> Option<Event> {
        let identity = &last.identity;
        let host = identity.host.as_deref()?;
        let names = [&identity.user, &identity.actor]
            .into_iter()
            .flatten()
            .map(|user| format!("{user}@{host}"))
            .collect();
        // Without the time in which it ran nothing is proven.
        let from = last.granted_at?;
        let dead = Dead { names, from, to: last.at.min(now), own: false };
        let whose = match last.run {
            Some(run) => format!("run {run}, which did not end well"),
            None => "the run before, which did not end well".to_owned(),
        };
        // Its lease has run out, and yet its Terraform may have been spared: on this machine that
        // can be seen.
        let spared = Some(host) == crate::identity::host().as_deref()
            && crate::guardian::anything_runs_under(&last.session);
        let policy = if spared { Policy::Never } else { self.policy };
        self.tell(free_if_dead(&self.terraform, &dead, policy).await, &whose)
    }

    fn tell(&self, finding: Finding, whose: &str) -> Option<Event> {
        let (summary, detail) = match finding {
            Finding::Nothing => return None,
            Finding::Freed(LockInfo { id, path, who, created, .. }) => {
                return Some(Event::StateLockFreed { id, path, who, created });
            }
            Finding::Left(info) => (
                format!("Terraform's own lock on the state {} is left by {whose}", escape::line(&info.path)),
                self.command(&info),
            ),
            Finding::Stuck(info, said) => (
                format!(
                    "Terraform's own lock on the state {} is left by {whose} and could not be freed: {}",
                    escape::line(&info.path),
                    escape::bounded(said.lines().next().unwrap_or_default(), 300)
                ),
                self.command(&info),
            ),
            Finding::Foreign(info) => (
                format!(
                    "Terraform's own lock on the state {} is held by {} since {}; it was not touched",
                    escape::line(&info.path),
                    escape::field(&info.who),
                    info.created
                ),
                format!("if that Terraform is dead: {}", self.command(&info)),
            ),
        };
        Some(Event::Diagnostic { level: Level::Warn, summary, detail: Some(detail) })
    }

    fn command(&self, info: &LockInfo) -> String {
        let dir = self.terraform.dir.to_string_lossy();
        format!(
            "to free it: terraform -chdir={} force-unlock {}",
            escape::field(&dir),
            escape::field(&info.id)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unclean_end_leaves_a_lock() {
        let terraform = Terraform { program: "terraform".into(), dir: "/".into(), compares_ids: true };
        let mut care = Care { terraform, policy: Policy::Own, detailed_exitcode: false };
        for (code, left) in
            [(Some(0), false), (Some(1), false), (Some(2), true), (Some(11), true), (None, true)]
        {
            assert_eq!(care.may_have_left(code), left, "{code:?}");
        }
        care.detailed_exitcode = true;
        assert!(!care.may_have_left(Some(2)));
    }
}
