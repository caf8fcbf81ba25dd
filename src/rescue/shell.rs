//! A command line as it can be typed into a shell.

use std::borrow::Cow;

/// Joins `args`, each quoted where a shell would take it for something else.
pub fn shell(args: &[String]) -> String {
    args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" ")
}

fn quoted(arg: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return Cow::Borrowed(arg);
    }
    Cow::Owned(format!("'{}'", arg.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_it_is_quoted() {
        for (args, shown) in [
            (vec!["tfguard", "-C", "/srv/infra", "--table=t"], "tfguard -C /srv/infra --table=t"),
            (vec!["a b", "", "it's", "$x", "~"], r"'a b' '' 'it'\''s' '$x' '~'"),
        ] {
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            assert_eq!(shell(&args), shown);
        }
    }
}
