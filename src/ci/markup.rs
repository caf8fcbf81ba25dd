//! Text that somebody else wrote, made safe to show in Markdown, HTML and mermaid. Pure.

use std::fmt::Write;

use crate::escape;

/// Characters of an address or a name in a page.
const NAME: usize = 300;
/// A longer link is none.
const LINK: usize = 2000;

/// One line of text in Markdown, where nothing of it is markup: everything but letters, digits and
/// harmless signs is written as an entity.
pub fn text(text: &str) -> String {
    bounded(text, escape::LINE)
}

/// A name, as code, in Markdown and in a cell of its tables.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", bounded(text, NAME))
}

/// Lines as they are, in Markdown.
pub fn block(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| bounded(line, escape::LINE)).collect();
    lines.join("<br>")
}

/// A link, where `url` is one to the web; else only its text.
pub fn link(shown: &str, url: Option<&str>) -> String {
    let shown = bounded(shown, NAME);
    match url.filter(|url| is_link(url)) {
        Some(url) => format!("[{shown}]({url})"),
        None => shown,
    }
}

fn is_link(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&*+,;=%".contains(c);
    web && url.len() <= LINK && url.chars().all(plain)
}

fn bounded(text: &str, limit: usize) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape::bounded(text, limit).chars() {
        match c {
            // Writing into a String cannot fail.
            _ if c.is_ascii_punctuation() && !"./-,;%?'".contains(c) => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            _ => safe.push(c),
        }
    }
    // A line that begins like a list or a heading of dashes.
    match safe.strip_prefix('-') {
        Some(rest) => format!("&#45;{rest}"),
        None => safe,
    }
}

/// The text of a node in mermaid's quotes: everything but letters and digits as a code.
pub fn label(text: &str, limit: usize) -> String {
    let mut safe = String::new();
    for c in escape::bounded(text, limit).chars() {
        match c {
            _ if c.is_alphanumeric() || " .,/-".contains(c) => safe.push(c),
            _ => {
                let _ = write!(safe, "#{};", u32::from(c));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        for evil in [
            "<script>alert(1)</script>",
            "![x](https://evil/x.png)",
            "a | b | **c** `d` ~e~ _f_ # g",
            "x\n\n# y",
            "\"];A-->B;click A \"javascript:x\"",
            "@everyone &lt;",
            "-->",
            "```",
            "1) x $math$",
        ] {
            for safe in [text(evil), block(evil).replace("<br>", ""), label(evil, 200)] {
                assert!(
                    !safe.contains(['<', '>', '|', '`', '*', '_', '[', ']', '(', '@', '"', '\n', '$', '!']),
                    "{safe}"
                );
            }
        }
        assert_eq!(text("- a-b"), "&#45; a-b");
        assert_eq!(code("a.b[\"c\"]"), "<code>a.b&#91;&#34;c&#34;&#93;</code>");
        assert_eq!(label("a\"b;c", 9), "a#34;b#59;c");
        assert_eq!(text("10% of a.b, 1s"), "10% of a.b, 1s");
    }

    #[test]
    fn only_web_links_lead_anywhere() {
        assert_eq!(link("a", Some("https://ci/1?x=y#z")), "[a](https://ci/1?x=y#z)");
        for bad in [
            "javascript:alert(1)",
            "https://x/)[y](z",
            "https://x y",
            "https://x|y",
            "https://x\"y",
            "https://x<y",
        ] {
            assert_eq!(link("a", Some(bad)), "a", "{bad}");
        }
        assert_eq!(link("a", None), "a");
    }
}
