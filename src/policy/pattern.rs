//! Text as IAM matches it: `*` and `?` stand for anything, `${…}` for a variable.

/// A pattern for resources and conditions, in IAM's own syntax.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// Everything.
    pub fn any() -> Self {
        Self("*".into())
    }

    /// Exactly `text`.
    pub fn exactly(text: &str) -> Self {
        let mut pattern = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                // How IAM spells a character that would mean something else.
                '*' | '?' | '$' => pattern.extend(['$', '{', c, '}']),
                _ => pattern.push(c),
            }
        }
        Self(pattern)
    }

    /// Whatever starts with `text`.
    pub fn starting(text: &str) -> Self {
        Self::exactly(text).then(&Self::any())
    }

    /// This, and `next` behind it.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        Self(format!("{}{}", self.0, next.0))
    }

    /// This, and exactly `text` behind it.
    #[must_use]
    pub fn and(&self, text: &str) -> Self {
        self.then(&Self::exactly(text))
    }

    /// Whether this is the start of `other`, and anything behind it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.0.strip_suffix('*').is_some_and(|start| !start.contains('*') && other.0.starts_with(start))
    }

    /// As it stands in a policy.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_iam_is_spelled_out() {
        assert_eq!(Pattern::exactly("a/b.c").as_str(), "a/b.c");
        assert_eq!(Pattern::exactly("a*b?${aws:x}").as_str(), "a${*}b${?}${$}{aws:x}");
        assert!(Pattern::starting("a/").covers(&Pattern::exactly("a/b")));
        assert!(!Pattern::starting("a/").covers(&Pattern::exactly("b")));
        assert!(!Pattern::exactly("a/").covers(&Pattern::exactly("a/b")));
        assert_eq!(Pattern::starting("net/").and(".tflock").as_str(), "net/*.tflock");
    }
}
