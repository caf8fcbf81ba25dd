//! Links that may be shown to everybody who can read the lock table.

/// The link as it may be shown, or `None` where it is not one: only `http` and `https` lead
/// somewhere that a person can open.
pub(super) fn link(url: &str) -> Option<String> {
    let url = url.trim();
    let scheme = url.split_once("://")?.0.to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https").then(|| without_userinfo(url))
}

/// The text without the `user:password@` of every URL in it.
///
/// It is taken out up to the last `@` before the path, since a password may hold an `@` that nobody
/// encoded. Where it holds a `/` too, so that the path seems to begin inside it, what stands
/// before the path is no `host:port`; then everything up to the last `@` goes.
pub fn without_userinfo(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let ends =
            |stops: &str| after.find(|c: char| c.is_whitespace() || stops.contains(c)).unwrap_or(after.len());
        let (whole, authority) = (&after[..ends("\"'<>")], &after[..ends("/?#\"'<>")]);
        let has_port =
            authority.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let userinfo = if authority.contains('@') || has_port { authority } else { whole };
        rest = &after[userinfo.rfind('@').map_or(0, |at| at + 1)..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_go_and_the_rest_stays() {
        for (with, without) in [
            ("https://ci.example/x@y", "https://ci.example/x@y"),
            ("https://u:p@ci.example/x", "https://ci.example/x"),
            ("https://u:p@ss@ci.example", "https://ci.example"),
            ("git::https://tok@h/a and ssh://g@h/b", "git::https://h/a and ssh://h/b"),
            ("https://u:p/w@ci.example/x", "https://ci.example/x"),
            ("https://ci.example:8080/x@y", "https://ci.example:8080/x@y"),
            ("no link", "no link"),
        ] {
            assert_eq!(without_userinfo(with), without);
        }
    }

    #[test]
    fn only_web_links_are_links() {
        assert_eq!(link("HTTPS://x/y").as_deref(), Some("HTTPS://x/y"));
        assert_eq!(link("ssh://x/y"), None);
        assert_eq!(link("x"), None);
    }
}
