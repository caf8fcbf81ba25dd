//! What the guardian does once its supervisor is dead: stop the child, keep the lease, release.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::process::Post;
use super::ward::Ward;
use crate::clock::{Clock, SystemClock};
use crate::history;
use crate::lease::session::Notice;
use crate::lease::transition::Ending;
use crate::lease::{LockName, Outcome, PastRun, Teller};
use crate::lock::{self, Lock, Update};
use crate::operate;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::store::{Store, StoreResult};
use crate::supervisor::custody::state_rescued;
use crate::supervisor::stop::{Effect, Happening, Limits, Stop, Why};

/// How often we look whether the child is gone: it is not ours, so nobody tells.
const LOOK: Duration = Duration::from_millis(25);
/// How long a child that was about to be started may take to be seen.
const APPEAR: Duration = Duration::from_secs(1);
/// The pause between two tries to open the store.
const REOPEN: Duration = Duration::from_secs(1);
/// How long the last output of a dead child, and then our own words, may take to be written.
const FLUSH: Duration = Duration::from_secs(3);

/// Takes over. Returns the exit code, which nobody reads.
pub(super) fn run(mut post: Post) -> u8 {
    let Some(reporter) = post.speak().cloned() else { return crate::error::exit::SOFTWARE };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            runtime.block_on(attend(post, &reporter));
            runtime.shutdown_background();
        }
        Err(error) => {
            let text = format!("the guardian cannot work: {error}; the lock stays until its lease ends");
            reporter.emit(Event::say(Level::Error, text));
        }
    }
    reporter.flush(FLUSH);
    0
}

async fn attend(mut post: Post, reporter: &Reporter) {
    let Ok(name) = LockName::new(post.begin.lock.clone()) else { return };
    if let Some(group) = post.starting {
        post.ward = appear(&post.tenure.own.session, group).await;
        if cfg!(not(target_os = "linux")) {
            let text = format!(
                "the supervisor of lock {name} was killed while it started its command, which may run; the lock \
                 stays until its lease ends"
            );
            return say(reporter, Level::Error, text);
        }
    }
    let running = post.ward.as_ref().is_some_and(Ward::is_alive);
    let doing = if running { "stopping its command" } else { "releasing its lock" };
    say(reporter, Level::Warn, format!("the supervisor of lock {name} was killed; its guardian is {doing}"));
    let mut stop = Stop::new(Limits {
        stop_timeout: post.begin.stop_timeout,
        on_lease_lost: post.begin.on_lease_lost,
        deadline: None,
    });
    let mut opening = Opening::start(&post);
    let mut lock: Option<(Lock, Arc<dyn Store>)> = None;
    handle(&mut stop, Happening::Lease(post.tenure.deadlines()), &post, reporter);
    handle(&mut stop, Happening::Orphaned, &post, reporter);
    post.carry();
    let mut named = false;
    loop {
        if lock.is_none()
            && opening.is_done()
            && let Some(store) = opening.result().await
        {
            lock = Some((resume(&post, &name, Arc::clone(&store)), store));
        }
        while let Some(update) = lock.as_mut().and_then(|(lock, _)| lock.pending_update()) {
            let happening = match update {
                Update::Notice(Notice::Lost(_), _) => Some(Happening::Lost),
                Update::Notice(_, Some(tenure)) => {
                    post.tenure = *tenure;
                    Some(Happening::Lease(post.tenure.deadlines()))
                }
                Update::Notice(..) | Update::Trouble(_) | Update::Finished(..) => None,
            };
            if let Some(happening) = happening {
                handle(&mut stop, happening, &post, reporter);
            }
        }
        let Some(ward) = &post.ward else { break };
        if !ward.is_alive() {
            let left = ward.bury(&post.tenure.own.session);
            if left.is_empty() {
                break;
            }
            if !std::mem::replace(&mut named, true) {
                let text =
                    format!("the command left processes behind, which were killed: {}", left.join(", "));
                say(reporter, Level::Warn, text);
            }
        }
        handle(&mut stop, Happening::Tick, &post, reporter);
        tokio::time::sleep(LOOK).await;
    }
    if let (Some(care), true) = (&post.begin.state, post.ward.is_some())
        && let Some(event) = care.after_own(post.tenure.own.granted_at, SystemClock.now().wall).await
    {
        reporter.emit(event);
    }
    if lock.is_none()
        && let Some(store) = opening.result().await
    {
        lock = Some((resume(&post, &name, Arc::clone(&store)), store));
    }
    let changed = post.rescue.is_some();
    let rescued = rescue(&mut post, &name, reporter).await;
    let ending = Ending { changed, rescued: rescued.clone(), ..Ending::new(Outcome::Crashed, None) };
    match lock {
        Some((lock, store)) => {
            if release(lock, &name, ending.clone(), &post, reporter).await {
                if let Some(path) = rescued {
                    mark(store.as_ref(), &name, &path, &post, reporter).await;
                }
                write_down(store.as_ref(), &name, &ending, &post, reporter).await;
            }
        }
        None => {
            let text =
                format!("lock {name}: the store could not be reached; the lock stays until its lease ends");
            say(reporter, Level::Error, text);
        }
    }
    post.pumps.finished(FLUSH).await;
}

/// Waits for the child of a supervisor that died while it started one: `None` when it got no
/// further than that.
///
/// The socket's other end is closed only after the child's `exec`, since until then the child has
/// it too. But its environment, by which it is found, comes a moment later.
async fn appear(session: &str, group: bool) -> Option<Ward> {
    let until = SystemClock.mono() + APPEAR;
    loop {
        match Ward::find(session, group) {
            None if SystemClock.mono() < until => tokio::time::sleep(LOOK).await,
            found => return found,
        }
    }
}

fn resume(post: &Post, name: &LockName, store: Arc<dyn Store>) -> Lock {
    lock::resume(post.tenure.clone(), name.clone(), store, SystemClock, crate::session::seed())
}

/// Moves what the command left, and says so. Where it is now.
async fn rescue(post: &mut Post, name: &LockName, reporter: &Reporter) -> Option<String> {
    let watch = post.rescue.take()?;
    let fleeting = watch.ci;
    let kept = tokio::task::spawn_blocking(move || watch.collect()).await.ok().flatten()?;
    let path = kept.path.to_string_lossy().into_owned();
    reporter.emit(state_rescued(name.clone(), post.tenure.own.run, kept, fleeting));
    Some(path)
}

/// Makes sure that the record shows a rescued state: a lock that was lost shows nothing of its
/// last holder.
async fn mark(store: &dyn Store, name: &LockName, path: &str, post: &Post, reporter: &Reporter) {
    let (own, seed) = (&post.tenure.own, crate::session::seed());
    if let Err(error) = operate::rescued(store, name, own, path, &SystemClock, seed).await {
        let text = format!("the lock's record could not be told of the rescued state: {error}");
        say(reporter, Level::Warn, text);
    }
}

/// Writes the run down in the lock's history, unless it has done that itself before it died.
async fn write_down(store: &dyn Store, name: &LockName, ending: &Ending, post: &Post, reporter: &Reporter) {
    let wall = SystemClock.now().wall;
    let Some(past) = PastRun::of(&post.tenure.own, ending, Teller::Guardian, wall) else { return };
    if let Err(error) = history::write(store, name, &past).await {
        say(reporter, Level::Warn, format!("lock {name}: the run is missing in its history: {error}"));
    }
}

/// Whether the record is known not to show us any more.
async fn release(mut lock: Lock, name: &LockName, ending: Ending, post: &Post, reporter: &Reporter) -> bool {
    lock.release(ending);
    while let Some(update) = lock.update().await {
        if let Update::Finished(finish, _) = update {
            if finish.is_clean() {
                let held = SystemClock.now().wall.duration_since(post.tenure.own.granted_at);
                let held = Duration::try_from(held).unwrap_or_default();
                reporter.emit(Event::LockReleased { lock: name.clone(), held });
            } else {
                let text = format!("lock {name} could not be released; it stays until its lease ends");
                say(reporter, Level::Error, text);
            }
            return finish.is_clean();
        }
    }
    false
}

/// The store on its way to being open. It is tried again and again until the lease is over: then
/// nothing is left to be kept.
struct Opening(Option<JoinHandle<StoreResult<Arc<dyn Store>>>>);

impl Opening {
    fn start(post: &Post) -> Self {
        let spec = post.begin.store.clone();
        let end = post.tenure.deadlines().end;
        Self(Some(tokio::spawn(async move {
            loop {
                match spec.open().await {
                    Err(_) if SystemClock.mono() < end => tokio::time::sleep(REOPEN).await,
                    result => return result,
                }
            }
        })))
    }

    fn is_done(&self) -> bool {
        self.0.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// The store, once.
    async fn result(&mut self) -> Option<Arc<dyn Store>> {
        self.0.take()?.await.ok()?.ok()
    }
}

fn handle(stop: &mut Stop, happening: Happening, post: &Post, reporter: &Reporter) {
    for effect in stop.handle(happening, false, SystemClock.mono()) {
        let Some(ward) = post.ward.as_ref() else { continue };
        match effect {
            Effect::Interrupt(_) => {
                post.interrupt();
            }
            Effect::Kill(why) => {
                let because = why.because().unwrap_or_else(|| Why::AtRisk.because().unwrap_or_default());
                say(reporter, Level::Warn, format!("killing the command: {because}"));
                ward.kill_everything(&post.tenure.own.session);
            }
            Effect::AtRisk => {
                say(
                    reporter,
                    Level::Warn,
                    "the guardian's heartbeat does not reach the lock store".to_owned(),
                );
            }
            Effect::Signal(..) | Effect::Continue(_) => {}
        }
    }
}

fn say(reporter: &Reporter, level: Level, text: String) {
    reporter.emit(Event::say(level, text));
}
