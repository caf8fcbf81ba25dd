//! What the guardian does once its supervisor is dead: stop the child, keep the lease, release.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::process::Post;
use crate::clock::{Clock, SystemClock};
use crate::lease::session::Notice;
use crate::lease::transition::Ending;
use crate::lease::{LockName, Outcome};
use crate::lock::{self, Lock, Update};
use crate::operate;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::store::Store;
use crate::supervisor::custody::state_rescued;
use crate::supervisor::stop::{Effect, Happening, Limits, Stop, Why};

/// How often we look whether the child is gone: it is not ours, so nobody tells.
const LOOK: Duration = Duration::from_millis(25);
/// The pause between two tries to open the store.
const REOPEN: Duration = Duration::from_secs(1);
/// How long what was said may take to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// Takes over. Returns the exit code, which nobody reads.
pub(super) fn run(post: Post) -> u8 {
    let wall = || SystemClock.now().wall;
    let Some(reporter) = Reporter::for_guardian(post.begin.json, post.begin.log_file.as_deref(), wall) else {
        return crate::error::exit::SOFTWARE;
    };
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
    let clock = SystemClock;
    let Ok(name) = LockName::new(post.begin.lock.clone()) else { return };
    let running = post.ward.as_ref().is_some_and(super::ward::Ward::is_alive);
    let doing = if running { "stopping its command" } else { "releasing its lock" };
    say(reporter, Level::Warn, format!("the supervisor of lock {name} was killed; its guardian is {doing}"));
    let mut stop = Stop::new(Limits { stop_timeout: post.begin.stop_timeout, deadline: None });
    let mut opening = Some(open(&post));
    let mut lock: Option<Lock> = None;
    let mut store: Option<Arc<dyn Store>> = None;
    handle(&mut stop, Happening::Lease(post.tenure.deadlines()), &post, reporter);
    handle(&mut stop, Happening::Orphaned, &post, reporter);
    if let Some(ward) = &mut post.ward {
        ward.drain();
    }
    loop {
        if opening.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(Ok(opened)) = join(opening.take()).await
        {
            store = Some(Arc::clone(&opened));
            lock = Some(lock::resume(post.tenure.clone(), name.clone(), opened, clock, post.seed(clock)));
        }
        while let Some(update) = lock.as_mut().and_then(Lock::pending_update) {
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
        if !ward.is_alive() && ward.bury(&post.tenure.own.session) {
            break;
        }
        handle(&mut stop, Happening::Tick, &post, reporter);
        tokio::time::sleep(LOOK).await;
    }
    if let (Some(care), true) = (&post.begin.state, post.ward.is_some())
        && let Some(event) = care.after_own(post.tenure.own.granted_at, clock.now().wall).await
    {
        reporter.emit(event);
    }
    if let Some(opening) = opening
        && let Some(Ok(opened)) = join(Some(opening)).await
    {
        store = Some(Arc::clone(&opened));
        lock = Some(lock::resume(post.tenure.clone(), name.clone(), opened, clock, post.seed(clock)));
    }
    let changed = post.rescue.is_some();
    let rescued = rescue(&mut post, &name, reporter).await;
    let Some(mut lock) = lock else {
        let text =
            format!("lock {name}: the store could not be reached; the lock stays until its lease ends");
        return say(reporter, Level::Error, text);
    };
    lock.release(Ending { changed, rescued: rescued.clone(), ..Ending::new(Outcome::Crashed, None) });
    while let Some(update) = lock.update().await {
        if let Update::Finished(finish, _) = update {
            if finish.is_clean() {
                let held = clock.now().wall.duration_since(post.tenure.own.granted_at);
                let held = Duration::try_from(held).unwrap_or_default();
                reporter.emit(Event::LockReleased { lock: name.clone(), held });
                if let (Some(path), Some(store)) = (rescued, store) {
                    // A lock that was lost shows nothing of its last holder.
                    let (own, seed) = (&post.tenure.own, post.seed(clock));
                    let marked = operate::rescued(store.as_ref(), &name, own, &path, &clock, seed).await;
                    if let Err(error) = marked {
                        let text =
                            format!("the lock's record could not be told of the rescued state: {error}");
                        say(reporter, Level::Warn, text);
                    }
                }
            } else {
                let text = format!("lock {name} could not be released; it stays until its lease ends");
                say(reporter, Level::Error, text);
            }
            return;
        }
    }
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

/// Opens the store, again and again until the lease is over: then nothing is left to be kept.
fn open(post: &Post) -> JoinHandle<crate::store::StoreResult<Arc<dyn Store>>> {
    let spec = post.begin.store.clone();
    let end = post.tenure.deadlines().end;
    tokio::spawn(async move {
        loop {
            match spec.open().await {
                Err(_) if SystemClock.mono() < end => tokio::time::sleep(REOPEN).await,
                result => return result,
            }
        }
    })
}

async fn join<T>(handle: Option<JoinHandle<T>>) -> Option<T> {
    handle?.await.ok()
}

fn handle(stop: &mut Stop, happening: Happening, post: &Post, reporter: &Reporter) {
    for effect in stop.handle(happening, false, SystemClock.mono()) {
        let Some(ward) = post.ward.as_ref() else { continue };
        match effect {
            Effect::Interrupt(_) => {
                // Somebody may have sent it before.
                if post.token.take() {
                    ward.interrupt();
                }
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
            Effect::Signal(..) => {}
        }
    }
}

fn say(reporter: &Reporter, level: Level, text: String) {
    reporter.emit(Event::say(level, text));
}

impl Post {
    /// Something that no other process has, for stamps.
    fn seed(&self, clock: SystemClock) -> u64 {
        let nanos = clock.now().wall.as_nanosecond();
        u64::try_from(nanos & i128::from(u64::MAX)).unwrap_or(0) ^ u64::from(std::process::id()) << 40
    }
}
