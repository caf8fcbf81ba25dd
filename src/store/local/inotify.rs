//! Word from the kernel that a record has changed, on Linux.
//!
//! Asked for are the moments alone in which a record takes its place or goes. Libraries for this are told
//! of every opening and writing too, and each look of one waiter would wake all the others.

use std::ffi::{CStr, OsStr};
use std::io::{self, PipeReader, PipeWriter};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::mpsc;

use crate::store::Watch;

/// The end of the pipe whose closing ends the thread that listens. That closes the watch itself, which
/// takes the kernel 10 to 20 ms.
struct FileWatch {
    _listening: PipeWriter,
}

impl Watch for FileWatch {}

/// Sends into `changed` when `file` in `folder` may have changed, or, without one, any record in it.
/// `None` where that cannot be known, as when the machine has run out of watches.
///
/// The folder is watched, not the file: a record is replaced, and a watch stays with the old one.
pub(super) fn start(
    folder: &Path,
    file: Option<String>,
    changed: mpsc::Sender<()>,
) -> Option<Box<dyn Watch>> {
    let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let ends = WatchFlags::DELETE | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    inotify::add_watch(&queue, folder, WatchFlags::MOVED_TO | ends | WatchFlags::ONLYDIR).ok()?;
    let (over, listening) = io::pipe().ok()?;
    let listen = move || listen(&queue, &over, file.as_deref(), &changed);
    thread::Builder::new().name("watch".into()).spawn(listen).ok()?;
    Some(Box::new(FileWatch { _listening: listening }))
}

/// Listens until the other end of `over` is closed. A queue that cannot be read tells nothing any more:
/// polling goes on beside it.
fn listen(queue: &OwnedFd, over: &PipeReader, file: Option<&str>, changed: &mpsc::Sender<()>) {
    loop {
        let mut fds = [PollFd::new(queue, PollFlags::IN), PollFd::new(over, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        match take(queue, file) {
            // A message that is still unread says the same; a receiver that is gone needs none.
            Ok(true) => drop(changed.try_send(())),
            Ok(false) => {}
            Err(_) => return,
        }
    }
}

/// Takes what lies in the queue. Whether any of it concerns us.
fn take(queue: impl AsFd, file: Option<&str>) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(queue, &mut buffer);
    let mut concerned = false;
    loop {
        match events.next() {
            Ok(event) => {
                let whole = ReadFlags::QUEUE_OVERFLOW
                    | ReadFlags::DELETE_SELF
                    | ReadFlags::MOVE_SELF
                    | ReadFlags::IGNORED;
                concerned |= event.events().intersects(whole)
                    || event.file_name().is_some_and(|name| is_it(name, file));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(concerned),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_it(name: &CStr, file: Option<&str>) -> bool {
    match file {
        Some(file) => name.to_bytes() == file.as_bytes(),
        None => Path::new(OsStr::from_bytes(name.to_bytes())).extension() == Some(OsStr::new("json")),
    }
}
