//! A scene, acted out with real processes.

use std::fs::{File, OpenOptions};
use std::io::PipeReader;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::judge::{self, Seen};
use super::scene::{Blow, Contender, FROZEN, Quirk, Scene};
use crate::guardian::process::{Run, has, signal, signal_group};
use crate::guardian::stage::{Over, Stage};
use crate::support::fault::Fault;
use crate::support::moto::Moto;

/// Within this everything has to be over, whatever happens.
const LIMIT: Duration = Duration::from_secs(100);
/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Plays it. How many runs it took, and what was wrong.
pub(super) fn play(scene: &Scene, moto: impl FnOnce() -> Arc<Moto>) -> (usize, Vec<String>) {
    let stage = Stage::with(scene.over, moto);
    stage.state.slow_down(scene.slow_state);
    let mut actors: Vec<Actor<'_>> = scene.contenders.iter().map(Actor::new).collect();
    let began = SystemTime::now();
    let now = || began.elapsed().unwrap_or_default();
    let mut trouble = Troubles::NotYet;
    while now() < LIMIT {
        trouble = trouble.go_on(scene, &stage, now());
        for actor in &mut actors {
            actor.act(&stage, now());
        }
        if actors.iter().all(|actor| actor.gone.is_some()) && matches!(trouble, Troubles::Over) {
            break;
        }
        let due = actors.iter().filter_map(Actor::due).map(|at| at.saturating_sub(now())).min();
        std::thread::sleep(due.unwrap_or(LOOK).min(LOOK));
    }
    let seen: Vec<Seen<'_>> = actors.into_iter().map(Actor::into_seen).collect();
    let wrong = judge::judge(scene, &stage, began, &seen);
    (seen.len() + 1, wrong)
}

/// The store's trouble.
enum Troubles {
    NotYet,
    Now { _locked: Option<File> },
    Over,
}

impl Troubles {
    fn go_on(self, scene: &Scene, stage: &Stage, now: Duration) -> Self {
        let Some(trouble) = &scene.trouble else { return Self::Over };
        match self {
            Self::NotYet if now >= trouble.at => {
                stage.proxy.set(trouble.fault.clone());
                Self::Now { _locked: (stage.over == Over::Local).then(|| lock(stage)).flatten() }
            }
            Self::Now { .. } if now >= trouble.at + trouble.lasts => {
                stage.proxy.set(Fault::None);
                Self::Over
            }
            other => other,
        }
    }
}

/// Locks the file that the local store locks for every write; unlocked when dropped.
fn lock(stage: &Stage) -> Option<File> {
    let path = stage.path("locks/stage.lock");
    let file = OpenOptions::new().write(true).open(path).ok()?;
    flock(&file, FlockOperation::LockExclusive).ok()?;
    Some(file)
}

/// One run on its way.
struct Actor<'a> {
    contender: &'a Contender,
    run: Option<Run>,
    reader: Option<PipeReader>,
    asked: Duration,
    struck: Option<Duration>,
    frozen: Option<(i32, Duration)>,
    ended: Option<Duration>,
    gone: Option<Duration>,
}

impl<'a> Actor<'a> {
    fn new(contender: &'a Contender) -> Self {
        let nothing = (None, None, None);
        let (run, reader, struck) = nothing;
        Self { contender, run, reader, struck, asked: Duration::ZERO, frozen: None, ended: None, gone: None }
    }

    /// When something is to be done at the latest.
    fn due(&self) -> Option<Duration> {
        match (&self.run, self.contender.blow) {
            (None, _) => Some(self.contender.start),
            (Some(_), Some((at, _))) if self.struck.is_none() => Some(self.asked + at),
            _ => None,
        }
    }

    fn act(&mut self, stage: &Stage, now: Duration) {
        let Some(run) = &self.run else {
            if now >= self.contender.start {
                self.asked = now;
                self.start(stage);
            }
            return;
        };
        if let Some((at, blow)) = self.contender.blow
            && self.struck.is_none()
            && now >= self.asked + at
        {
            self.struck = Some(now);
            self.reader = None;
            self.frozen = strike(run, blow).map(|pid| (pid, now + FROZEN));
        }
        if let Some((pid, _)) = self.frozen.take_if(|(_, until)| now >= *until) {
            signal(pid, libc::SIGCONT);
        }
        if self.ended.is_none() && run.try_end().is_some() {
            self.ended = Some(now);
        }
        if self.ended.is_some() && self.gone.is_none() && run.processes().is_empty() {
            self.gone = Some(now);
        }
    }

    fn start(&mut self, stage: &Stage) {
        let Contender { name, work, quirk, hooks, .. } = self.contender;
        let options: &[&str] = match quirk {
            Quirk::Json => &["--log-format", "json"],
            Quirk::LogFull => &["--log-file", "/dev/full"],
            Quirk::None | Quirk::StdoutClosed => &[],
        };
        let mut command = stage.apply(name, &format!("{work:.2}"), options);
        if let Some(hook) = hooks.command() {
            for event in ["WAITING", "ACQUIRED", "AT_RISK", "LOST", "RELEASED"] {
                command.env(format!("TFGUARD_HOOK_{event}"), hook);
            }
            command.env("TFGUARD_HOOK_TIMEOUT", "3s");
        }
        if *quirk == Quirk::StdoutClosed {
            let (reader, writer) = std::io::pipe().unwrap();
            command.stdout(writer);
            // Read by nobody, and closed with the blow; at once where there is none.
            self.reader = self.contender.blow.map(|_| reader);
        }
        self.run = Some(stage.start(name, command));
    }

    fn into_seen(self) -> Seen<'a> {
        Seen {
            contender: self.contender,
            run: self.run,
            asked: self.asked,
            struck: self.struck,
            gone: self.gone,
        }
    }
}

/// Strikes; the process that is to go on later.
fn strike(run: &Run, blow: Blow) -> Option<i32> {
    let supervisor = || run.try_end().is_none().then(|| run.supervisor());
    // Its number may be somebody else's by now.
    let terraform = || run.find_terraform().filter(|pid| has(*pid, "STAGE_RUN", &run.name));
    let send = |pid: Option<i32>, number| pid.into_iter().for_each(|pid| signal(pid, number));
    match blow {
        Blow::Supervisor => send(supervisor(), libc::SIGKILL),
        Blow::Guardian => send(run.find_guardian(), libc::SIGKILL),
        Blow::Both => {
            let (supervisor, guardian) = (supervisor(), run.find_guardian());
            send(supervisor, libc::SIGKILL);
            send(guardian, libc::SIGKILL);
        }
        Blow::Terraform => send(terraform(), libc::SIGKILL),
        Blow::Group => terraform().into_iter().for_each(|pid| signal_group(pid, libc::SIGKILL)),
        Blow::Everything => run.processes().into_iter().for_each(|pid| signal(pid, libc::SIGKILL)),
        Blow::Stop => send(supervisor(), libc::SIGTERM),
        Blow::StopEverybody => run.processes().into_iter().rev().for_each(|pid| signal(pid, libc::SIGTERM)),
        Blow::Freeze | Blow::FreezeGuardian => {
            let pid = if blow == Blow::Freeze { supervisor() } else { run.find_guardian() };
            send(pid, libc::SIGSTOP);
            return pid;
        }
    }
    None
}
