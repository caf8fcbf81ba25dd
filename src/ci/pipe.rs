//! Our own streams as pipes that somebody reads, and what has been read of them.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::FileType;

/// Bytes that are kept of a line without an end.
pub(super) const LINE: usize = 4096;
/// How long a reader of ours may take before a child starts, or before we go on without it.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at a stream.
const LOOK: Duration = Duration::from_millis(2);
/// What has been taken from a stream is on its way to where commands are looked for.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

/// Whether a line without an end may be taken for a command once its end has come. Terraform's last
/// one only switches the colour off.
pub(super) fn may_be_command(line: &[u8]) -> bool {
    line.len() >= LINE || [&b"::"[..], b"##"].iter().any(|mark| memchr::memmem::find(line, mark).is_some())
}

/// Whether it is a pipe, which somebody reads.
pub(super) fn is_pipe(stream: impl AsFd) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// How long a file is that a stream of ours goes to. `None`: it goes elsewhere.
pub(super) fn length(stream: impl AsFd) -> Option<u64> {
    let stat = rustix::fs::fstat(stream).ok()?;
    let file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    u64::try_from(stat.st_size).ok().filter(|_| file)
}

/// Waits until whoever reads a pipe of ours has taken everything out of it. What is no pipe has
/// nobody to wait for.
pub(super) fn taken(stream: impl AsFd) -> bool {
    if !is_pipe(&stream) {
        return true;
    }
    let mut left = PATIENCE;
    while rustix::io::ioctl_fionread(&stream).is_ok_and(|bytes| bytes > 0) {
        left = left.saturating_sub(LOOK);
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    std::thread::sleep(ON_ITS_WAY);
    true
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pipe_is_taken_when_it_is_read() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        assert!(taken(&writer));
        writer.write_all(b"abc").unwrap();
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            reader.read_exact(&mut [0; 3]).unwrap();
            reader
        });
        assert!(taken(&writer));
        let _reader = late.join().unwrap();
        writer.write_all(b"abc").unwrap();
        assert!(!taken(&writer));
    }

    #[test]
    fn only_what_could_be_a_command_is_held_against_a_line() {
        for (line, may) in [
            (&b""[..], false),
            (b"\x1b[0m", false),
            (b"Enter a value: ", false),
            (b"  ::error::x", true),
            (b"a ##[error]", true),
        ] {
            assert_eq!(may_be_command(line), may, "{line:?}");
        }
        assert!(may_be_command(&[b' '; LINE]));
    }
}
