//! Text that somebody else wrote, made safe to show in HTML and mermaid. Pure.
//!
//! The page of a run is HTML in all places where such text stands. In Markdown every punctuation
//! mark of it would have to be written otherwise, and GitHub, which masks a job's secrets in what it
//! is given, would not know them again: it looks for a secret as it is, and as XML writes it. So
//! nothing is written otherwise but the five characters that XML escapes, in the way in which GitHub
//! expects them, and what is too long is cut between two words: half a secret is not masked either.

use std::borrow::Cow;
use std::fmt::Write;

use crate::escape;

/// Characters of an address or a name in a page.
const NAME: usize = 1000;
/// A longer link is none.
const LINK: usize = 2000;

/// One line of text.
pub fn text(text: &str) -> String {
    bounded(text, escape::LINE)
}

/// A name, as code.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", bounded(text, NAME))
}

/// Several lines of text, as lines of one block: a line without anything on it would end the HTML.
pub fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| bounded(line, escape::LINE)).collect();
    lines.join("<br>")
}

/// Lines as they are, in a block of their own.
pub fn block(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| bounded(line, escape::LINE)).collect();
    format!("\n<pre>{}</pre>\n", lines.join("\n"))
}

/// A link, where `url` is one to the web; else only its text.
pub fn link(shown: &str, url: Option<&str>) -> String {
    let shown = bounded(shown, NAME);
    match url.filter(|url| is_link(url)) {
        Some(url) => format!("<a href=\"{}\">{shown}</a>", url.replace('&', "&amp;")),
        None => shown,
    }
}

fn is_link(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&*+,;=%".contains(c);
    web && url.len() <= LINK && url.chars().all(plain)
}

/// At most `limit` characters, and no part of a word.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(limit) else { return Cow::Borrowed(text) };
    let head = &text[..end];
    let head = head.rfind(char::is_whitespace).map_or("", |at| head[..at].trim_end());
    Cow::Owned(format!("{head}…"))
}

fn bounded(text: &str, limit: usize) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in cut(text, limit).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            _ if escape::is_unsafe(c) => {
                // Writing into a String cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            _ => safe.push(c),
        }
    }
    safe
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
            "</code></pre></td><img src=x onerror='y'>",
            "x\n\n# y",
            "\u{1b}[2J\u{202e}",
            "&lt;b&gt;",
            "\"];A-->B;click A \"javascript:x\"",
        ] {
            let inside = |made: String| made.replace("<br>", "");
            for safe in [text(evil), inside(lines(evil)), label(evil, 200)] {
                assert!(!safe.contains(['<', '>', '"', '\'', '\n', '\u{1b}', '\u{202e}']), "{safe}");
            }
            let block = block(evil);
            assert!(block.starts_with("\n<pre>") && block.ends_with("</pre>\n"), "{block}");
            assert_eq!(block.matches('<').count(), 2, "{block}");
        }
        assert_eq!(code("a.b[\"c|`\"]"), "<code>a.b[&quot;c|`&quot;]</code>");
        assert_eq!(lines("a\n\nb"), "a<br><br>b");
        assert_eq!(label("a\"b;c", 9), "a#34;b#59;c");
    }

    /// GitHub masks what it finds: a secret as it is, or as XML writes it.
    #[test]
    fn a_secret_is_known_again() {
        let secret = "p@ss_w*rd`#1[!](x)|$~\\{}-+=%^;:,./?";
        for made in [text(secret), code(secret), block(secret), lines(secret)] {
            assert!(made.contains(secret), "{made}");
        }
        assert!(text("a<b>&'\"c").contains("a&lt;b&gt;&amp;&apos;&quot;c"));
        // Half of it would not be.
        assert_eq!(cut("creating: token s3cr3t", 18), "creating: token…");
        assert_eq!(cut("s3cr3t", 3), "…");
        assert_eq!(cut("a token", 7), "a token");
    }

    #[test]
    fn only_web_links_lead_anywhere() {
        assert_eq!(link("a", Some("https://ci/1?x=y&z#z")), "<a href=\"https://ci/1?x=y&amp;z#z\">a</a>");
        for bad in [
            "javascript:alert(1)",
            "https://x y",
            "https://x|y",
            "https://x\"y",
            "https://x'y",
            "https://x<y",
        ] {
            assert_eq!(link("a", Some(bad)), "a", "{bad}");
        }
        assert_eq!(link("a", None), "a");
    }
}
