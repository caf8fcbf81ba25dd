//! Links that lead out of the page.

use crate::escape;

/// A longer one is none.
const LONGEST: usize = 2000;

/// A link to a web page, and where it leads in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The address.
    pub(super) href: String,
    /// The host that it leads to.
    pub(super) host: String,
}

impl Link {
    /// `None` unless it is plainly one: http or https, a host that is written out, and nothing that
    /// browsers read otherwise than people do.
    pub(super) fn new(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let authority = rest.split(['/', '?', '#']).next()?;
        let plain = |c: char| c.is_ascii_graphic() && !"\"'<>\\^`{|}".contains(c);
        // What stands before an @ looks like the host and is none.
        let named = !authority.is_empty() && !authority.contains('@');
        (web && named && url.len() <= LONGEST && url.chars().all(plain))
            .then(|| Self { href: url.to_owned(), host: escape::bounded(authority, 60).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_are_links() {
        let link = Link::new("https://ci.example:8443/run/1?a=b&c=%20#x").unwrap();
        assert_eq!(link.host, "ci.example:8443");
        assert!(Link::new("HTTP://ci.example").is_some());
        for bad in [
            "javascript:alert(1)",
            "javascript://x/%0aalert(1)",
            "JaVaScRiPt:alert(1)//https://x",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "file:///etc/passwd",
            " https://x",
            "https://",
            "https:///x",
            "https:x",
            "//x/y",
            "https://github.com@evil.example/x",
            "https://x\\@evil.example",
            "https://x/\u{202e}",
            "https://x/\n",
            "https://x/\"onmouseover=\"x",
            "https://\u{0430}pple.example/",
        ] {
            assert_eq!(Link::new(bad), None, "{bad}");
        }
        assert_eq!(Link::new(&format!("https://x/{}", "y".repeat(LONGEST))), None);
    }
}
