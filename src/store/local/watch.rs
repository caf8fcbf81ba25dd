//! Word from the file system that a record has changed, where there is no inotify.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::store::Watch;

struct FileWatch {
    _watcher: RecommendedWatcher,
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
    let file = file.map(OsString::from);
    let whole = folder.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error may have swallowed events: look.
        if event.is_ok_and(|event| !concerns(&event, &whole, file.as_deref())) {
            return;
        }
        // A message that is still unread says the same; a receiver that is gone needs none.
        let _ = changed.try_send(());
    })
    .ok()?;
    watcher.watch(folder, RecursiveMode::NonRecursive).ok()?;
    Some(Box::new(FileWatch { _watcher: watcher }))
}

fn concerns(event: &Event, folder: &Path, file: Option<&OsStr>) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    // Some systems name the folder only.
    event.need_rescan()
        || event.paths.iter().any(|path| {
            let is_it = match file {
                Some(file) => path.file_name() == Some(file),
                None => path.extension() == Some(OsStr::new("json")),
            };
            is_it || path.as_path() == folder
        })
}
