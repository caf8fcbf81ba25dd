//! Paths in object stores, joined as Terraform joins them.

/// Go's `path.Join`: empty parts are left out, and the rest is cleaned of `.`, `..` and double
/// slashes.
pub(super) fn join(parts: &[&str]) -> String {
    let joined = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
    if joined.is_empty() { joined } else { clean(&joined) }
}

fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            part => kept.push(part),
        }
    }
    let path = kept.join("/");
    match (rooted, path.is_empty()) {
        (true, _) => format!("/{path}"),
        (false, true) => ".".to_owned(),
        (false, false) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_as_go_does() {
        for (parts, joined) in [
            (&["env:", "dev", "a/b"][..], "env:/dev/a/b"),
            (&["", "dev", "a"], "dev/a"),
            (&["", ""], ""),
            (&["a//b", "./c", "d/"], "a/b/c/d"),
            (&["a", "../b"], "b"),
            (&["..", "..", "b"], "../../b"),
            (&["/a", "../../b"], "/b"),
            (&["a", ".."], "."),
        ] {
            assert_eq!(join(parts), joined, "{parts:?}");
        }
    }
}
