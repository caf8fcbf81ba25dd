//! What stands in a backend block or in a file of `-backend-config`, as values.

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Body, Structure};
use hcl_edit::template::{Element, Template};
use serde_json::{Map, Number, Value};

use super::Settings;

/// The settings in a body: its attributes, and its blocks as objects. `origin` makes where a
/// setting stands out of the offset of its first byte.
pub(in crate::terraform) fn settings(body: &Body, origin: &dyn Fn(usize) -> String) -> Settings {
    let mut settings = Settings::default();
    for structure in body {
        let at = |span: Option<std::ops::Range<usize>>| origin(span.map_or(0, |span| span.start));
        match structure {
            Structure::Attribute(attribute) => {
                let at = at(attribute.span());
                settings.set(attribute.key.as_str(), literal(&attribute.value), &at);
            }
            Structure::Block(block) => {
                let at = at(block.span());
                for (name, setting) in self::settings(&block.body, origin).iter() {
                    let name = format!("{}.{name}", block.ident.as_str());
                    settings.set(&name, setting.value.clone(), &at);
                }
            }
        }
    }
    settings
}

/// The settings in a JSON object.
pub(in crate::terraform) fn json_settings(object: &Map<String, Value>, origin: &str) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in object.iter().filter(|(name, _)| *name != "//") {
        settings.set(name, (!has_template(value)).then(|| value.clone()), origin);
    }
    settings
}

/// A text in JSON may be a template.
fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${") || text.contains("%{"),
        Value::Array(list) => list.iter().any(has_template),
        Value::Object(object) => object.values().any(has_template),
        _ => false,
    }
}

/// The value of an expression in which nothing has to be looked up or computed.
pub(super) fn literal(expression: &Expression) -> Option<Value> {
    Some(match expression {
        Expression::Null(_) => Value::Null,
        Expression::Bool(value) => Value::Bool(*value.value()),
        Expression::Number(number) => {
            let number = number.value();
            Value::Number(number.as_i64().map(Number::from).or_else(|| Number::from_f64(number.as_f64()?))?)
        }
        Expression::String(text) => Value::String(text.value().clone()),
        Expression::StringTemplate(template) => Value::String(constant(template.iter())?),
        Expression::HeredocTemplate(heredoc) => {
            let template: &Template = &heredoc.template;
            Value::String(constant(template.iter())?)
        }
        Expression::Parenthesis(inner) => literal(inner.inner())?,
        Expression::Array(list) => Value::Array(list.iter().map(literal).collect::<Option<_>>()?),
        Expression::Object(object) => {
            let mut fields = Map::new();
            for (key, value) in object.iter() {
                let key = match key {
                    ObjectKey::Ident(name) => name.as_str().to_owned(),
                    ObjectKey::Expression(Expression::Variable(name)) => name.value().as_str().to_owned(),
                    ObjectKey::Expression(key) => literal(key)?.as_str()?.to_owned(),
                };
                fields.insert(key, literal(value.expr())?);
            }
            Value::Object(fields)
        }
        _ => return None,
    })
}

fn constant<'a>(mut elements: impl Iterator<Item = &'a Element>) -> Option<String> {
    elements.try_fold(String::new(), |text, element| match element {
        Element::Literal(part) => Some(text + part.value()),
        Element::Interpolation(_) | Element::Directive(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        let body: Body = text.parse().unwrap();
        settings(&body, &|offset| format!("f:{}", text[..offset].matches('\n').count() + 1))
    }

    #[test]
    fn literals_of_every_kind_have_values_and_lines() {
        let settings = read(
            "bucket = \"a\\\"b\"\n\nuse_lockfile = true\nmax = 3\nkey = \"x${\"y\"}\"\n\
             endpoints = { s3 = \"http://s\", \"sts\" = null }\nassume_role {\n  role_arn = (\"r\")\n}\n\
             files = [\"a\", \"b\"]\nhere = <<E\nline\nE\n",
        );
        assert_eq!(settings.text("bucket"), Some("a\"b"));
        assert!(settings.is_on("use_lockfile"));
        assert_eq!(settings.origin("use_lockfile"), Some("f:3"));
        assert_eq!(settings.text("endpoints.s3"), Some("http://s"));
        assert_eq!(settings.text("assume_role.role_arn"), Some("r"));
        assert_eq!(settings.texts("files"), ["a", "b"]);
        assert_eq!(settings.text("here"), Some("line\n"));
        assert!(settings.is_unknown("key"));
    }

    #[test]
    fn what_has_to_be_evaluated_is_there_and_not_known() {
        let settings = read(
            "bucket = var.bucket\nkey = \"${local.k}/x\"\nregion = lower(\"A\")\nendpoints = { s3 = var.e }\n",
        );
        for name in ["bucket", "key", "region", "endpoints.s3"] {
            assert!(settings.is_unknown(name), "{name}");
            assert_eq!(settings.text(name), None);
        }
        assert!(!settings.is_unknown("table"));
    }

    #[test]
    fn json_is_read_as_terraform_reads_it() {
        let value: Value = serde_json::from_str(
            r#"{"//": "c", "bucket": "b", "key": "${var.k}", "endpoints": [{"s3": "u"}]}"#,
        )
        .unwrap();
        let settings = json_settings(value.as_object().unwrap(), "f");
        assert_eq!((settings.text("bucket"), settings.text("endpoints.s3")), (Some("b"), Some("u")));
        assert!(settings.is_unknown("key") && settings.get("//").is_none());
    }
}
