//! What AWS takes for a name, checked before anything is asked of it.

use std::net::Ipv4Addr;

/// Why a table cannot have this name, a clause; `None` where it can.
///
/// Source: DynamoDB, naming rules.
pub fn table_fault(name: &str) -> Option<&'static str> {
    if !(3..=255).contains(&name.len()) {
        return Some("a table's name has 3 to 255 characters");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (!name.bytes().all(allowed)).then_some("a table's name has letters, digits, _, . and - only")
}

/// Why a general purpose bucket cannot have this name, a clause; `None` where it can.
///
/// Source: Amazon S3, general purpose bucket naming rules.
pub fn bucket_fault(name: &str) -> Option<&'static str> {
    if !(3..=63).contains(&name.len()) {
        return Some("a bucket's name has 3 to 63 characters");
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !name.bytes().all(|byte| plain(byte) || b".-".contains(&byte)) {
        return Some("a bucket's name has lower-case letters, digits, . and - only");
    }
    let ends = [name.as_bytes().first(), name.as_bytes().last()];
    if !ends.into_iter().flatten().all(|byte| plain(*byte)) {
        return Some("a bucket's name starts and ends with a letter or a digit");
    }
    if name.contains("..") {
        return Some("a bucket's name has no two dots in a row");
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Some("a bucket's name may not look like an IP address");
    }
    let prefixes = ["xn--", "sthree-", "amzn-s3-demo-"];
    let suffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let reserved = prefixes.iter().any(|prefix| name.starts_with(prefix))
        || suffixes.iter().any(|suffix| name.ends_with(suffix));
    reserved.then_some("names that start or end like this are kept by S3 for itself")
}

/// Why something cannot be tagged so, a clause; `None` where it can.
pub fn tag_fault(key: &str, value: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Some("a tag has a key of 1 to 128 and a value of up to 256 characters");
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Some("keys that start with aws: are kept by AWS for itself");
    }
    let fits = key.chars().all(allowed) && value.chars().all(allowed);
    (!fits).then_some("a tag has letters, digits, spaces and _ . : / = + - @ only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        for name in ["abc", "terraform-lock", "A_b.c-9", &"x".repeat(255)] {
            assert_eq!(table_fault(name), None, "{name}");
        }
        for name in ["", "ab", "a b", "a/b", "tëst", "arn:aws:dynamodb", "a\nb", &"x".repeat(256)] {
            assert!(table_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn buckets() {
        for name in ["abc", "my-states.example.com", "0-9", &"x".repeat(63)] {
            assert_eq!(bucket_fault(name), None, "{name}");
        }
        for name in [
            "",
            "ab",
            "States",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "a..b",
            "192.168.5.4",
            "xn--a",
            "a-s3alias",
            "a--ol-s3",
            "a/b",
            "tëst",
            &"x".repeat(64),
        ] {
            assert!(bucket_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn tags() {
        assert_eq!(tag_fault("team", "platform: network/core"), None);
        assert_eq!(tag_fault("team", ""), None);
        for (key, value) in [("", "x"), ("aws:x", "x"), ("a", "b\n"), ("a\u{1b}", "b"), ("a", "$(x)")] {
            assert!(tag_fault(key, value).is_some(), "{key}={value}");
        }
    }
}
