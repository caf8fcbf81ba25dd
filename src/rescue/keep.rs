//! Moving a file to where it is safe: nothing is overwritten, nobody else can read it, and at every
//! instant a whole copy is on the disk under one of the two names.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Other names that are tried where one is taken.
const NAMES: u32 = 100;

/// Moves the file `from` to `to`, or beside it under a name that is free. Its folder is made, mode
/// 0700, where there is none. Returns where the file is now.
///
/// # Errors
/// The file cannot be moved, and is where it was.
pub(super) fn move_to(from: &Path, to: &Path) -> io::Result<PathBuf> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(from)?;
    // From the first moment on: the copy must not be the first that is private. Whoever may not
    // change the mode can still copy.
    let private = file.set_permissions(Permissions::from_mode(0o600)).is_ok();
    prepare(folder)?;
    let kept = free_name(to, |name| if private { fs::hard_link(from, name) } else { Err(unlinkable()) });
    let kept = match kept {
        Ok(name) => name,
        // Another file system, or one without links.
        Err(_) => copy(&file, to)?,
    };
    // Without it a crash of the machine could take the copy and the name.
    let _ = file.sync_all();
    sync_folder(folder)?;
    fs::remove_file(from).map_err(|error| {
        io::Error::new(error.kind(), format!("a copy is there, but the original cannot be removed: {error}"))
    })?;
    Ok(kept)
}

/// Writes these bytes to `to`, or beside it under a name that is free. Its folder is made, mode
/// 0700, where there is none. Returns where the file is.
///
/// # Errors
/// Nothing is kept.
pub fn preserve(bytes: &[u8], to: &Path) -> io::Result<PathBuf> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    prepare(folder)?;
    let mut made = None;
    let kept = free_name(to, |name| {
        made = Some(OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)?);
        Ok(())
    })?;
    let written = made.ok_or_else(|| io::Error::other("no file was made")).and_then(|mut file| {
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    if written.is_err() {
        // Half a state helps nobody.
        let _ = fs::remove_file(&kept);
    }
    written?;
    sync_folder(folder)?;
    Ok(kept)
}

/// Copies under a name that says so, and gives it its own once it is whole: who finds that one
/// may rely on it.
fn copy(from: &File, to: &Path) -> io::Result<PathBuf> {
    let mut draft_file = None;
    let draft = free_name(&suffixed(to, ".partial"), |name| {
        draft_file = Some(OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)?);
        Ok(())
    })?;
    let copied = draft_file.ok_or_else(|| io::Error::other("no file was made")).and_then(|mut file| {
        file.set_permissions(Permissions::from_mode(0o600))?;
        let mut reader = from;
        io::copy(&mut reader, &mut file)?;
        file.flush()?;
        file.sync_all()
    });
    let named = copied.and_then(|()| free_name(to, |name| rename_new(&draft, name)));
    if named.is_err() {
        // The original is still there.
        let _ = fs::remove_file(&draft);
    }
    named
}

/// Renames a file whose new name must be free.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // No links here: look first. The name has time, run and session in it, so that nobody else
        // makes it between the two.
        Err(_) if to.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

/// Tries `make` with `name`, then with numbered ones, until one is not taken.
fn free_name(name: &Path, mut make: impl FnMut(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    for number in 1..=NAMES {
        let name = if number == 1 { name.to_owned() } else { suffixed(name, &format!(".{number}")) };
        match make(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => return result.map(|()| name),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "every name for it is taken"))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn unlinkable() -> io::Error {
    io::Error::from(ErrorKind::PermissionDenied)
}

/// Makes the folder. What is made is private, and kept out of repositories: a state holds secrets.
fn prepare(folder: &Path) -> io::Result<()> {
    let outermost = folder.ancestors().take_while(|folder| !folder.exists()).last();
    let Some(outermost) = outermost else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let ignore =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(outermost.join(".gitignore"));
    match ignore {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems know no such thing.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_private_and_under_a_name_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::write(&from, "state").unwrap();
        fs::write(&to, "another").unwrap();
        fs::write(suffixed(&to, ".partial"), "left by a process that was killed").unwrap();
        let kept = copy(&File::open(&from).unwrap(), &to).unwrap();
        assert_eq!(kept, folder.join("to.2"));
        assert_eq!(fs::read_to_string(&kept).unwrap(), "state");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_to_string(&to).unwrap(), "another");
        assert!(!folder.join("to.partial.2").exists());
    }
}
