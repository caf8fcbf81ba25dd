//! What must be true after a scene, whatever happened in it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::scene::{Blow, Contender, FROZEN, Quirk, Scene};
use crate::guardian::process::{Run, signal};
use crate::guardian::stage::{LEASE, Stage};

/// One run, afterwards. Times count from the scene's beginning.
pub(super) struct Seen<'a> {
    pub(super) contender: &'a Contender,
    pub(super) run: Option<Run>,
    /// When it asked for the lock.
    pub(super) asked: Duration,
    /// When it was hit.
    pub(super) struck: Option<Duration>,
    /// When nothing of it was alive any more.
    pub(super) gone: Option<Duration>,
}

/// How long after everybody else's end a run may have to wait: an active holder that died is
/// watched for 1.1 leases.
fn patience(dead_waiters: usize) -> Duration {
    let each = Duration::from_secs(10) * u32::try_from(dead_waiters).unwrap_or(0);
    LEASE.mul_f64(1.1) + Duration::from_secs(2) + each
}

/// Those who leave an entry behind for others to evict.
const VANISH: [Blow; 3] = [Blow::Supervisor, Blow::Both, Blow::Everything];

/// What was wrong; nothing, it is to be hoped.
pub(super) fn judge(scene: &Scene, stage: &Stage, began: SystemTime, seen: &[Seen<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    let starts = starts(stage, began);
    let started = |name: &str| starts.iter().any(|(run, _)| run == name);
    let dead_waiters = seen
        .iter()
        .filter(|one| !started(&one.contender.name))
        .filter(|one| one.contender.was_hit_by(&VANISH) || one.said("its place is passed over"))
        .count();
    for one in seen {
        if one.gone.is_none() {
            wrong.push(format!("{}: something of it is left: {:?}", one.contender.name, stage.processes()));
        }
    }
    wrong.extend(overlaps(stage, seen));
    for (name, at) in &starts {
        wrong.extend(waited_too_long(scene, seen, name, *at, patience(dead_waiters)));
    }
    let locked = stage.state.lock();
    if let (Some(lock), false) = (&locked, scene.may_lock_state()) {
        wrong.push(format!("the state is locked, and nobody killed Terraform: {lock}"));
    }
    for one in seen {
        wrong.extend(one.complaints(scene));
    }
    wrong.extend(last_run(stage, dead_waiters));
    if !wrong.is_empty() {
        wrong.push(format!("starts: {starts:?}, state lock: {locked:?}"));
        wrong.extend(seen.iter().map(Seen::story));
    }
    wrong
}

/// When each run's Terraform started, in order.
fn starts(stage: &Stage, began: SystemTime) -> Vec<(String, Duration)> {
    let began = began.duration_since(UNIX_EPOCH).unwrap();
    let parse = |line: String| {
        let (name, nanos) = line.split_once(' ')?;
        Some((name.to_owned(), Duration::from_nanos(nanos.parse().ok()?).saturating_sub(began)))
    };
    stage.lines("starts").into_iter().filter_map(parse).collect()
}

/// Two at once is wrong, but beside a run whose supervisor and guardian were both killed: that one
/// has nobody left to stop it, and Terraform's own lock is the guard.
fn overlaps(stage: &Stage, seen: &[Seen<'_>]) -> Vec<String> {
    let spared = |name: &str| {
        seen.iter().any(|one| one.contender.name == name && one.contender.was_hit_by(&[Blow::Both]))
    };
    let lines = stage.lines("overlaps").into_iter();
    lines
        .filter(|line| !line.split_once(' ').is_some_and(|(_, other)| spared(other)))
        .map(|line| format!("two ran at once: {line}"))
        .collect()
}

/// A run started at `at`: not longer than it may be after the last of the others was out of its
/// way, or after it asked, or after the store's trouble was over.
fn waited_too_long(
    scene: &Scene,
    seen: &[Seen<'_>],
    name: &str,
    at: Duration,
    patience: Duration,
) -> Option<String> {
    let trouble = scene.trouble.as_ref().map(|trouble| (trouble.at, trouble.at + trouble.lasts));
    if trouble.is_some_and(|(from, to)| from <= at && at < to) {
        return None;
    }
    let own = seen.iter().find(|one| one.contender.name == name)?;
    let others = seen.iter().filter(|one| one.contender.name != name).flat_map(|one| {
        // The dead and the frozen are out of the way from the blow on, whatever of them lives.
        let hit = one.contender.was_hit_by(&[Blow::Both, Blow::Everything, Blow::Freeze]);
        [one.gone, one.struck.filter(|_| hit)]
    });
    // Who was frozen itself has not seen anything in the meantime.
    let thawed = own.struck.filter(|_| own.contender.was_hit_by(&[Blow::Freeze])).map(|at| at + FROZEN);
    let events = others.flatten().chain([own.asked]).chain(thawed).chain(trouble.map(|(_, to)| to));
    let clear = events.filter(|event| *event <= at).max()?;
    let waited = at.saturating_sub(clear);
    (waited > patience).then(|| format!("{name} waited {waited:?} for nobody, at {at:?}"))
}

impl Seen<'_> {
    fn complaints(&self, scene: &Scene) -> Vec<String> {
        let Some(run) = &self.run else { return vec![format!("{} never began", self.contender.name)] };
        let said = run.stdout() + &run.stderr();
        let mut wrong: Vec<String> = ["panicked", "bug in tfguard", "Two interrupts received"]
            .into_iter()
            .filter(|words| said.contains(words))
            .map(|words| format!("{} said {words:?}", self.contender.name))
            .collect();
        let Some(status) = run.try_end() else { return wrong };
        let fine = match status.code() {
            Some(0) => true,
            // Nobody touched it, its store or the state: it has no reason to fail.
            Some(_) if self.is_bystander(scene) => false,
            Some(1 | 69 | 75 | 76 | 129 | 130 | 131 | 137 | 143) => true,
            Some(_) => false,
            // Struck before it could listen, and before it did anything.
            None if self.contender.was_hit_by(&[Blow::Stop, Blow::StopEverybody]) => said.is_empty(),
            None => self.contender.was_hit_by(&VANISH),
        };
        if !fine {
            wrong.push(format!("{} ended with {status:?}", self.contender.name));
        }
        if self.contender.quirk == Quirk::Json {
            let whole = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
            // A killed supervisor may leave half a line.
            let broken = run.stdout().lines().filter(|line| !whole(line)).count();
            if broken > usize::from(self.contender.was_hit_by(&VANISH)) {
                wrong.push(format!("{}: {broken} lines of its stdout are no JSON", self.contender.name));
            }
        }
        wrong
    }

    fn said(&self, words: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.stdout().contains(words) || run.stderr().contains(words))
    }

    fn is_bystander(&self, scene: &Scene) -> bool {
        self.contender.blow.is_none() && scene.trouble.is_none() && !scene.may_lock_state()
    }

    fn story(&self) -> String {
        let Self { contender, asked, struck, gone, .. } = self;
        let (code, stdout, stderr) = match &self.run {
            Some(run) => (run.try_end(), run.stdout(), run.stderr()),
            None => (None, String::new(), String::new()),
        };
        format!(
            "--- {}: asked {asked:?}, struck {struck:?}, gone {gone:?}, {code:?}\n{stderr}--\n{stdout}",
            contender.name
        )
    }
}

/// Whoever comes next gets the lock in time, and finds a state that it can read and change.
fn last_run(stage: &Stage, dead_waiters: usize) -> Vec<String> {
    for pid in stage.processes() {
        signal(pid, libc::SIGKILL);
    }
    stage.state.force_unlock();
    let asked = SystemTime::now();
    let run = stage.start("last", stage.apply("last", "0", &[]));
    let code = run.end_within(patience(dead_waiters) + LEASE);
    let waited = starts(stage, asked).into_iter().find(|(name, _)| name == "last").map(|(_, at)| at);
    let mut wrong = Vec::new();
    if code != Some(0) {
        wrong.push(format!("the next run ended with {code:?}: {}{}", run.stderr(), run.stdout()));
    }
    if waited.is_none_or(|waited| waited > patience(dead_waiters)) {
        wrong.push(format!("the next run waited {waited:?}"));
    }
    if !stage.is_free() {
        wrong.push(format!("the lock is not free at the end: {}", stage.status()));
    }
    let state: serde_json::Value = serde_json::from_slice(&stage.state.body()).unwrap_or_default();
    if state["resources"].as_array().map(Vec::len) != Some(1) {
        wrong.push(format!("the state is not as it was left: {state}"));
    }
    if let Some(lock) = stage.state.lock() {
        wrong.push(format!("the next run left the state locked: {lock}"));
    }
    wrong
}
