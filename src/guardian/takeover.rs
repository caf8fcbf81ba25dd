//! What the guardian does once its supervisor is dead: stop the child, keep the leases, release.

use std::time::Duration;

use super::keep::Keep;
use super::process::Post;
use super::ward::Ward;
use crate::clock::{Clock, SystemClock};
use crate::hooks::Hooks;
use crate::lease::transition::Ending;
use crate::lease::{Deadlines, LockName, Outcome};
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::supervisor::custody::state_rescued;
use crate::supervisor::scratch;
use crate::supervisor::stop::{Effect, Happening, Limits, Stop, Why};

/// How often we look whether the child is gone: it is not ours, so nobody tells.
const LOOK: Duration = Duration::from_millis(25);
/// How long a child that was about to be started may take to be seen.
const APPEAR: Duration = Duration::from_secs(1);
/// How long the release of one lock may keep the next one waiting.
const HEAD_START: Duration = Duration::from_secs(2);
/// How long the last output of a dead child, and then our own words, may take to be written.
const FLUSH: Duration = Duration::from_secs(3);

/// Takes over. Returns the exit code, which nobody reads.
pub(super) fn run(mut post: Post) -> u8 {
    let mut scratch = post.scratch.take();
    let Some(reporter) = post.speak().cloned() else { return crate::error::exit::SOFTWARE };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let hooks = start_hooks(&post, &reporter);
            let told = hooks.as_ref().map_or_else(|| reporter.clone(), |hooks| hooks.hears(&reporter));
            runtime.block_on(attend(post, &told));
            // Whoever read the plan in it is dead.
            scratch.take().iter().for_each(|folder| scratch::remove(folder));
            if let Some(hooks) = hooks {
                // No signal reaches us.
                runtime.block_on(hooks.finish(std::future::pending()));
            }
            runtime.shutdown_background();
        }
        Err(error) => {
            let text = format!("the guardian cannot work: {error}; the lock stays until its lease ends");
            reporter.emit(Event::say(Level::Error, text));
        }
    }
    scratch.iter().for_each(|folder| scratch::remove(folder));
    reporter.flush(FLUSH);
    0
}

/// Hooks of our own: the supervisor's have ended with it. Without them the rest goes on.
fn start_hooks(post: &Post, reporter: &Reporter) -> Option<Hooks> {
    let settings = post.begin.hooks.clone()?;
    let hooks = Hooks::start(settings, &post.begin.session, reporter).ok()?;
    for charge in post.charges.iter().flatten() {
        if let Ok(lock) = LockName::new(charge.lock.clone()) {
            hooks.knows(lock, charge.tenure.own.generation);
        }
    }
    Some(hooks)
}

async fn attend(mut post: Post, reporter: &Reporter) {
    let locks = post.named();
    if let Some(group) = post.starting {
        post.ward = appear(&post.begin.session, group).await;
        if cfg!(not(target_os = "linux")) {
            let stay = if post.charges.iter().flatten().count() == 1 { "it stays" } else { "they stay" };
            let text = format!(
                "the supervisor of {locks} was killed while it started its command, which may run; {stay} until the \
                 lease ends"
            );
            return say(reporter, Level::Error, text);
        }
    }
    let running = post.ward.as_ref().is_some_and(Ward::is_alive);
    let doing = if running { "stopping its command" } else { "releasing what it held" };
    say(reporter, Level::Warn, format!("the supervisor of {locks} was killed; its guardian is {doing}"));
    let mut stop = Stop::new(Limits {
        stop_timeout: post.begin.stop_timeout,
        on_lease_lost: post.begin.on_lease_lost,
        deadline: None,
    });
    let mut keeps: Vec<Keep> = post.charges.iter().flatten().cloned().filter_map(Keep::start).collect();
    let granted_at = keeps.iter().map(|keep| keep.tenure.own.granted_at).max();
    lease(&mut stop, &keeps, &post, reporter);
    handle(&mut stop, Happening::Orphaned, &post, reporter);
    post.carry();
    let mut named = false;
    loop {
        for keep in &mut keeps {
            if keep.attend().await {
                handle(&mut stop, Happening::Lost, &post, reporter);
            }
        }
        lease(&mut stop, &keeps, &post, reporter);
        let Some(ward) = &post.ward else { break };
        if !ward.is_alive() {
            let left = ward.bury(&post.begin.session);
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
    if let (Some(care), true, Some(from)) = (&post.begin.state, post.ward.is_some(), granted_at)
        && let Some(event) = care.after_own(from, SystemClock.now().wall).await
    {
        reporter.emit(event);
    }
    let changed = post.rescue.is_some();
    let rescued = rescue(&mut post, &keeps, reporter).await;
    let ending = Ending { changed, rescued, ..Ending::new(Outcome::Crashed, None) };
    release(keeps, &ending, reporter).await;
    post.pumps.finished(FLUSH).await;
}

/// Releases the locks, the newest first. One whose store does not answer keeps the next one waiting
/// for a moment only.
async fn release(keeps: Vec<Keep>, ending: &Ending, reporter: &Reporter) {
    let mut late = Vec::new();
    for keep in keeps.into_iter().rev() {
        let (ending, reporter) = (ending.clone(), reporter.clone());
        let mut release = tokio::spawn(async move { keep.release(ending, &reporter).await });
        if tokio::time::timeout(HEAD_START, &mut release).await.is_err() {
            late.push(release);
        }
    }
    for release in late {
        let _ = release.await;
    }
}

/// Tells the policy how long the leases last.
fn lease(stop: &mut Stop, keeps: &[Keep], post: &Post, reporter: &Reporter) {
    if let Some(deadlines) = keeps.iter().map(Keep::deadlines).reduce(Deadlines::earliest) {
        handle(stop, Happening::Lease(deadlines), post, reporter);
    }
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

/// Moves what the command left, and says so. Where it is now.
async fn rescue(post: &mut Post, keeps: &[Keep], reporter: &Reporter) -> Option<String> {
    let watch = post.rescue.take()?;
    let fleeting = watch.ci;
    let kept = tokio::task::spawn_blocking(move || watch.collect()).await.ok().flatten()?;
    let path = kept.path.to_string_lossy().into_owned();
    let locks = keeps.iter().map(|keep| keep.name.clone()).collect();
    let run = keeps.first().and_then(|keep| keep.tenure.own.run);
    reporter.emit(state_rescued(locks, run, kept, fleeting));
    Some(path)
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
                ward.kill_everything(&post.begin.session);
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
