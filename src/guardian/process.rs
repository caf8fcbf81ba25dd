//! The guardian's own process: listens, and keeps the deadlines of a supervisor that is frozen.
//! No runtime, no connection, no TLS here: that is for [`takeover`] alone.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use super::relay::Relay;
use super::takeover;
use super::token::Token;
use super::vigil::Vigil;
use super::ward::Ward;
use super::wire::{Begin, Charge, Message, Received, Receiver};
use crate::child::{Pid, Pumps};
use crate::clock::{Alarm, SystemClock, wait_for};
use crate::lease::{Deadlines, Instant};
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::rescue::Watch;
use crate::supervisor::stop::OnLeaseLost;

/// The one argument that makes this program a guardian. Not for people.
pub const ARGUMENT: &str = "--tfguard-guardian";

/// What is guarded.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) begin: Begin,
    pub(super) token: Token,
    /// What is kept, in the order in which it was acquired; `None`: released.
    pub(super) charges: Vec<Option<Charge>>,
    /// A child was about to be started, with or without a group of its own to be interrupted.
    pub(super) starting: Option<bool>,
    pub(super) ward: Option<Ward>,
    /// Set once the requested command may run.
    pub(super) rescue: Option<Watch>,
    /// A private folder that goes away with the run.
    pub(super) scratch: Option<PathBuf>,
    /// What carries its output, once the supervisor does not.
    pub(super) pumps: Pumps,
    voice: Option<(Relay, Reporter)>,
    vigil: Vigil,
    killing: bool,
}

/// How listening ends.
enum End {
    /// The supervisor took leave.
    Over,
    /// The supervisor died.
    Orphaned(Box<Post>),
}

/// Runs the guardian at the socket that is our standard input. Returns the exit code.
pub fn main() -> u8 {
    let end = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)
        .map_err(io::Error::from)
        .and_then(|socket: OwnedFd| listen(Receiver::new(socket)));
    match end {
        Ok(End::Over) | Err(_) => 0,
        Ok(End::Orphaned(post)) => takeover::run(*post),
    }
}

fn listen(mut receiver: Receiver) -> io::Result<End> {
    let clock = SystemClock;
    let alarm = Alarm::new();
    let mut post: Option<Box<Post>> = None;
    loop {
        let rest = post.as_ref().and_then(|post| post.rest(clock.mono()));
        if wait_for(&[receiver.as_fd()], rest, alarm.as_ref())? == [true] {
            let received = receiver.receive()?;
            while let Some(message) = receiver.next()? {
                match message {
                    Message::Over => return Ok(End::Over),
                    Message::Begin(begin) => post = Some(Post::begin(begin, &mut receiver)?),
                    other => {
                        if let Some(post) = &mut post {
                            post.hear(other, &mut receiver);
                        }
                    }
                }
            }
            if matches!(received, Received::End) {
                // Before anything was told there is nothing to guard.
                return Ok(post.map_or(End::Over, End::Orphaned));
            }
            // All that was said counts before the clock does: when it was us who were frozen, the
            // heartbeat that still holds stands at the end of the line.
            continue;
        }
        if let Some(post) = &mut post {
            post.watch(clock.mono());
        }
    }
}

impl Post {
    fn begin(begin: Begin, receiver: &mut Receiver) -> io::Result<Box<Self>> {
        let token = receiver.claim_fds().pop().ok_or_else(|| io::Error::other("the token did not come"))?;
        let charges = begin.charges.clone();
        Ok(Box::new(Self {
            begin,
            token: Token::from_fd(token)?,
            charges,
            starting: None,
            ward: None,
            rescue: None,
            scratch: None,
            pumps: Pumps::new(),
            voice: None,
            vigil: Vigil::default(),
            killing: false,
        }))
    }

    fn hear(&mut self, message: Message, receiver: &mut Receiver) {
        match message {
            Message::Charge(charge) => self.charges.push(Some(charge)),
            Message::Tenure { charge, tenure } => {
                if let Some(Some(charge)) = self.charges.get_mut(charge) {
                    charge.tenure = tenure;
                }
            }
            Message::Relieved { charge } => {
                if let Some(charge) = self.charges.get_mut(charge) {
                    *charge = None;
                }
            }
            Message::Rescue(watch) => self.rescue = Some(watch),
            Message::Scratch(folder) => self.scratch = Some(folder),
            Message::Starting { group } => self.starting = Some(group),
            Message::Child { pid, group, streams } => {
                let outputs = streams.into_iter().zip(receiver.claim_fds()).collect();
                self.starting = None;
                self.ward = Pid::from_raw(pid).map(|pid| Ward::new(pid, group, outputs));
            }
            Message::Interrupted => {
                if let Some(ward) = &mut self.ward {
                    ward.interrupted = true;
                }
            }
            Message::ChildGone => (self.starting, self.ward) = (None, None),
            Message::Begin(_) | Message::Over => {}
        }
    }

    /// The earliest deadlines of all that is kept.
    fn deadlines(&self) -> Option<Deadlines> {
        let kept = self.charges.iter().flatten();
        kept.map(|charge| charge.tenure.deadlines()).reduce(Deadlines::earliest)
    }

    /// What is kept, for people.
    pub(super) fn named(&self) -> String {
        let names: Vec<&str> = self.charges.iter().flatten().map(|charge| charge.lock.as_str()).collect();
        format!("{} {}", if names.len() == 1 { "lock" } else { "locks" }, names.join(", "))
    }

    /// How long may pass until the next look at the clock; `None`: there is nothing to look for.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let ward = self.ward.as_ref().filter(|_| self.begin.on_lease_lost != OnLeaseLost::Continue)?;
        Some(self.vigil.rest(self.deadlines()?, now, || ward.is_alive()))
    }

    /// Does what a frozen supervisor does not. The supervisor does the same while it can, and
    /// then there is nothing left to do here.
    fn watch(&mut self, now: Instant) {
        let Some(deadlines) = self.deadlines() else { return };
        if self.ward.is_none() || self.begin.on_lease_lost == OnLeaseLost::Continue {
            return;
        }
        let due = self.vigil.look(deadlines, now);
        if due.interrupt && self.interrupt() {
            // Nobody else reads what it prints while it stops.
            self.carry();
            self.say(format!(
                "the supervisor of {} does not answer, and no heartbeat reached the lock store for half a \
                 lease; its guardian is stopping the command",
                self.named()
            ));
        }
        if due.kill
            && let Some(ward) = &self.ward
        {
            let alive = ward.is_alive();
            ward.kill_everything(&self.begin.session);
            if alive && !self.killing {
                self.killing = true;
                self.say(format!(
                    "the lease of {} is about to end; its guardian killed the command",
                    self.named()
                ));
            }
        }
    }

    /// Sends the one SIGINT, if nobody has and the child shows no sign of another's. Whether we did.
    pub(super) fn interrupt(&self) -> bool {
        match &self.ward {
            Some(ward) if !ward.interrupted && self.token.take() => {
                ward.interrupt();
                true
            }
            _ => false,
        }
    }

    /// Carries the child's output on from here.
    pub(super) fn carry(&mut self) {
        self.speak();
        if let (Some(ward), Some((relay, _))) = (&mut self.ward, &self.voice) {
            self.pumps.join(ward.carry(relay));
        }
    }

    /// What tells people what we do; `None` where the system gives no thread.
    pub(super) fn speak(&mut self) -> Option<&Reporter> {
        if self.voice.is_none() {
            let relay = Relay::open(self.begin.json);
            self.voice = relay.reporter(self.begin.log_file.as_deref()).map(|reporter| (relay, reporter));
        }
        self.voice.as_ref().map(|(_, reporter)| reporter)
    }

    pub(super) fn say(&mut self, text: String) {
        if let Some(reporter) = self.speak() {
            reporter.emit(Event::say(Level::Warn, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    use super::super::wire;
    use super::*;
    use crate::lease::transition::{self, Candidate};
    use crate::lease::{Identity, Lease, Mode, Tenure};
    use crate::store::StoreSpec;

    fn tenure(base: Instant) -> Tenure {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        let candidate = Candidate {
            session: "asleep".into(),
            mode: Mode::Exclusive,
            changes: true,
            lease: Lease::default(),
            asked_at: wall,
            identity: Identity::default(),
        };
        let record = transition::acquire(None, &candidate, wall).unwrap();
        Tenure { own: record.holder("asleep").unwrap().clone(), base }
    }

    fn charge(lock: &str, tenure: Tenure) -> Charge {
        Charge { lock: lock.into(), store: StoreSpec::Local { dir: "nowhere".into() }, tenure }
    }

    /// What was said while it slept stands in the line, oldest first, and is more than one look
    /// brings.
    #[test]
    fn old_heartbeats_are_not_taken_for_the_newest() {
        let now = SystemClock.mono();
        let old = tenure(now - Duration::from_secs(3600));
        let mut child = Command::new("sleep").arg("303").stdout(Stdio::null()).spawn().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let token = Token::new().unwrap();
        let begin = Message::Begin(Begin {
            charges: vec![Some(charge("one", tenure(now))), Some(charge("other", old.clone()))],
            session: "asleep".into(),
            state: None,
            stop_timeout: None,
            on_lease_lost: OnLeaseLost::Stop,
            json: false,
            log_file: None,
            hooks: None,
        });
        wire::send(ours.as_fd(), &begin, &[token.as_fd()]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let watch = Message::Child { pid, group: false, streams: Vec::new() };
        wire::send(ours.as_fd(), &watch, &[]).unwrap();
        for _ in 0..60 {
            wire::send(ours.as_fd(), &Message::Tenure { charge: 1, tenure: old.clone() }, &[]).unwrap();
        }
        wire::send(ours.as_fd(), &Message::Tenure { charge: 1, tenure: tenure(now) }, &[]).unwrap();
        let guardian = std::thread::spawn(|| listen(Receiver::new(OwnedFd::from(theirs))));
        // Long enough for a look at the clock after the last word.
        std::thread::sleep(Duration::from_millis(1500));
        wire::send(ours.as_fd(), &Message::Over, &[]).unwrap();
        assert!(matches!(guardian.join().unwrap(), Ok(End::Over)));
        let untouched = matches!(child.try_wait(), Ok(None));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(untouched && token.take(), "a healthy child was stopped");
    }
}
