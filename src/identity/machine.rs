//! The machine's and the user's name, as the system knows them.

use rustix::process::getuid;
use rustix::system::uname;

/// Name of this machine.
pub fn host() -> Option<String> {
    let name = uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

/// Name of the user that we run as, or `uid 1000` where the system has none for it, as in many
/// containers.
pub fn user() -> String {
    let uid = getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&passwd, uid).unwrap_or_else(|| format!("uid {uid}"))
}

fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n# note\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(name_of(passwd, 7), None);
    }
}
