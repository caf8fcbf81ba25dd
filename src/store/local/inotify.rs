//! Word from the kernel that a record has changed, on Linux.
//!
//! Asked for are the moments alone in which a record takes its place or goes. Libraries for this are told
//! of every opening and writing too, and each look of one waiter would wake all the others.

use std::ffi::{CStr, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::store::Watch;
use crate::system;

/// Listens until it is dropped.
struct FileWatch {
    _listening: oneshot::Sender<()>,
}

impl Watch for FileWatch {}

/// Sends into `changed` when `file` in `folder` may have changed, or, without one, any record in it.
/// `None` where that cannot be known, as when the machine has run out of watches.
///
/// The folder is watched, not the file: a record is replaced, and a watch stays with the old one. It is
/// listened to by a task and not by a thread: where a hundred wait, each thread more that a change wakes keeps
/// the next holder from its turn.
pub(super) fn start(
    folder: &Path,
    file: Option<String>,
    changed: mpsc::Sender<()>,
) -> Option<Box<dyn Watch>> {
    let runtime = Handle::try_current().ok()?;
    let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let ends = WatchFlags::DELETE | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    inotify::add_watch(&queue, folder, WatchFlags::MOVED_TO | ends | WatchFlags::ONLYDIR).ok()?;
    let queue = system::awaitable(queue).ok()?;
    let (listening, over) = oneshot::channel();
    runtime.spawn(async move {
        tokio::select! {
            () = listen(&queue, file.as_deref(), &changed) => {}
            _ = over => {}
        }
        // The kernel takes 10 to 20 ms for it, which nobody is to wait for.
        let queue = queue.into_inner();
        tokio::task::spawn_blocking(move || drop(queue));
    });
    Some(Box::new(FileWatch { _listening: listening }))
}

/// Listens for ever, or until the queue cannot be read, which tells nothing any more: polling goes on
/// beside it.
async fn listen(queue: &AsyncFd<OwnedFd>, file: Option<&str>, changed: &mpsc::Sender<()>) {
    while let Ok(mut ready) = queue.readable().await {
        match take(queue.get_ref(), file) {
            // A message that is still unread says the same; a receiver that is gone needs none.
            Ok(true) => drop(changed.try_send(())),
            Ok(false) => {}
            Err(_) => return,
        }
        ready.clear_ready();
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
