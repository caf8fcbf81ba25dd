//! HCL, laid out as `terraform fmt` does it. Values are written by [`hcl_edit`], which knows what
//! has to be escaped.

use std::fmt::Write;

use hcl_edit::expr::Expression;

use crate::escape;

/// A line of a body, or several.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// `name = value`
    Attribute(&'static str, Value),
    /// `header {`, a body, `}`
    Block(String, Vec<Item>),
    /// `# text`
    Comment(String),
    /// An empty line.
    Blank,
}

/// What an attribute can have.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    True,
    /// A reference, as it stands.
    Reference(&'static str),
    /// Its keys are texts.
    Map(Vec<(String, String)>),
}

impl Item {
    pub(super) fn text(name: &'static str, value: impl Into<String>) -> Self {
        Self::Attribute(name, Value::Text(value.into()))
    }

    pub(super) fn on(name: &'static str) -> Self {
        Self::Attribute(name, Value::True)
    }

    pub(super) fn resource(kind: &str, name: &str, body: Vec<Self>) -> Self {
        Self::Block(format!("resource {} {}", quoted(kind), quoted(name)), body)
    }

    pub(super) fn block(header: &str, body: Vec<Self>) -> Self {
        Self::Block(header.to_owned(), body)
    }
}

/// `text` as a quoted template that means just that.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::new();
    for c in Expression::from(text).to_string().chars() {
        // What a terminal could take for a command; line breaks are escaped already.
        if escape::is_unsafe(c) {
            let _ = write!(shown, "\\U{:08x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The whole of a file.
pub(super) fn render(items: &[Item]) -> String {
    let mut out = String::new();
    body(&mut out, items, 0);
    out
}

// Writing into a String cannot fail.
fn body(out: &mut String, items: &[Item], depth: usize) {
    let indent = "  ".repeat(depth);
    for (index, item) in items.iter().enumerate() {
        match item {
            Item::Blank => out.push('\n'),
            Item::Comment(text) => {
                let _ = writeln!(out, "{indent}# {text}");
            }
            Item::Block(header, items) => {
                let _ = writeln!(out, "{indent}{header} {{");
                body(out, items, depth + 1);
                let _ = writeln!(out, "{indent}}}");
            }
            Item::Attribute(name, Value::Map(entries)) => {
                let _ = writeln!(out, "{indent}{name} = {{");
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| (quoted(key), quoted(value))).collect();
                let width = entries.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
                for (key, value) in entries {
                    let _ = writeln!(out, "{indent}  {key:<width$} = {value}");
                }
                let _ = writeln!(out, "{indent}}}");
            }
            Item::Attribute(name, value) => {
                let width = width_at(items, index);
                let value = match value {
                    Value::Text(text) => quoted(text),
                    Value::True => "true".to_owned(),
                    Value::Reference(path) => (*path).to_owned(),
                    Value::Map(_) => String::new(),
                };
                let _ = writeln!(out, "{indent}{name:<width$} = {value}");
            }
        }
    }
}

/// The longest name in the run of plain attributes around `index`, by which they are aligned.
fn width_at(items: &[Item], index: usize) -> usize {
    let name = |item: &Item| match item {
        Item::Attribute(_, Value::Map(_)) => None,
        Item::Attribute(name, _) => Some(name.len()),
        Item::Block(..) | Item::Comment(_) | Item::Blank => None,
    };
    let before = items[..index].iter().rev().map_while(name);
    before.chain(items[index..].iter().map_while(name)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_means_itself_and_nothing_else() {
        for text in
            ["plain", "a\"b\\c", "${path.root}", "%{ if true }x", "$${x}", "a\nb", "ü", "\u{1b}[2J\u{202e}"]
        {
            let source = render(&[Item::text("a", text)]);
            let body: hcl_edit::structure::Body = source.parse().unwrap();
            let value = body.get_attribute("a").unwrap().value.as_str().map(str::to_owned);
            // A template without parts that would be evaluated is a plain text again.
            assert_eq!(value.as_deref(), Some(text), "{source}");
            assert!(!source.trim_end().contains(escape::is_unsafe), "{source:?}");
        }
    }
}
