//! The keeper's own process: starts hooks, reads what they print, and ends them. No runtime here:
//! it waits for its socket and for what hooks print, and looks after them every few milliseconds
//! while any runs.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::errand::{Errand, never, sweep};
use super::schedule::{Effect, Schedule, Why};
use super::settings::Settings;
use super::wire::{Order, Word, say};
use crate::child::{become_subreaper, keep_descriptors};
use crate::clock::{Alarm, SystemClock, wait_for};
use crate::report::event::{Hook, HookEnd};

/// The one argument that makes this program a keeper. Not for people.
pub const ARGUMENT: &str = "--tfguard-hooks";

/// How often we look whether a hook has ended.
const LOOK: Duration = Duration::from_millis(20);
/// The pause after a turn in which a hook printed more than we read.
const BREATH: Duration = Duration::from_millis(5);
/// How long the supervisor may take to hear a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long hooks may take to die of a SIGKILL when the supervisor has gone.
const DEATH: Duration = Duration::from_secs(2);

/// Runs the keeper at the socket that is our standard input. Returns the exit code.
pub fn main() -> u8 {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(io::Error::from);
    match socket.and_then(Keeper::new) {
        Ok(mut keeper) => {
            keep_descriptors();
            // Without it daemons of hooks are out of reach; with it they end with the hooks.
            let _ = become_subreaper();
            keeper.listen();
            0
        }
        Err(_) => crate::error::exit::SOFTWARE,
    }
}

struct Keeper {
    socket: UnixStream,
    heard: Vec<u8>,
    work: Option<Work>,
    /// No more hooks will come.
    closed: bool,
    alarm: Option<Alarm>,
}

struct Work {
    settings: Settings,
    session: String,
    schedule: Schedule,
    errands: BTreeMap<Hook, Errand>,
}

impl Keeper {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = UnixStream::from(socket);
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, heard: Vec::new(), work: None, closed: false, alarm: Alarm::new() })
    }

    fn listen(&mut self) {
        loop {
            let spoken = self.wait();
            if spoken && !self.hear() {
                // The supervisor is dead, or wants nothing more of us.
                return self.end();
            }
            self.look();
            if self.closed && self.work.as_ref().is_none_or(|work| work.schedule.is_idle()) {
                return;
            }
        }
    }

    /// Waits until somebody says something or there is something to do. Whether the supervisor has.
    fn wait(&self) -> bool {
        let now = SystemClock.mono();
        let work = self.work.as_ref();
        let due = work.and_then(|work| work.schedule.wake_at()).map(|at| at.since(now));
        let runs = work.is_some_and(|work| !work.errands.is_empty());
        let rest = [due, runs.then_some(LOOK)].into_iter().flatten().min();
        let mut fds = vec![self.socket.as_fd()];
        fds.extend(work.into_iter().flat_map(|work| work.errands.values()).filter_map(Errand::output));
        wait_for(&fds, rest, self.alarm.as_ref()).is_ok_and(|readable| readable.first() == Some(&true))
    }

    /// Takes in what the supervisor says. Whether it may say more.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(_) => return false,
        }
        while let Some(end) = memchr::memchr(b'\n', &self.heard) {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(order) => self.obey(order),
                // We are the same program as the supervisor.
                Err(_) => return false,
            }
        }
        true
    }

    fn obey(&mut self, order: Order) {
        let now = SystemClock.mono();
        let effects = match (order, &mut self.work) {
            (Order::Begin { settings, session }, _) => {
                let schedule = Schedule::new(settings.timeout);
                self.work = Some(Work { settings, session, schedule, errands: BTreeMap::new() });
                return;
            }
            (Order::Fire(firing), Some(work)) => work.schedule.fire(firing, now),
            (Order::Close { within }, Some(work)) => {
                self.closed = true;
                work.schedule.close(within, now);
                return;
            }
            (Order::Stop, Some(work)) => {
                self.closed = true;
                work.schedule.stop()
            }
            (_, None) => return,
        };
        self.carry_out(effects);
    }

    fn carry_out(&mut self, mut effects: Vec<Effect>) {
        let Some(work) = &mut self.work else { return };
        let now = SystemClock.mono();
        while !effects.is_empty() {
            let mut more = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Start(firing) => {
                        let hook = firing.hook;
                        match Errand::start(firing, &work.settings, &work.session, now) {
                            Ok(errand) => drop(work.errands.insert(hook, errand)),
                            Err((firing, error)) => {
                                tell(&self.socket, &never(firing, HookEnd::NotStarted(error.to_string())));
                                more.extend(work.schedule.ended(hook, now));
                            }
                        }
                    }
                    Effect::Kill(hook, why) => {
                        if let Some(errand) = work.errands.get_mut(&hook) {
                            errand.kill(why);
                        }
                    }
                    Effect::Drop(firing) => tell(&self.socket, &never(firing, HookEnd::NotRun)),
                }
            }
            effects = more;
        }
    }

    /// Looks after the hooks under way.
    fn look(&mut self) {
        let Some(work) = &mut self.work else { return };
        let now = SystemClock.mono();
        let mut flooded = false;
        let mut effects = Vec::new();
        let hooks: Vec<Hook> = work.errands.keys().copied().collect();
        for hook in hooks {
            let Some(errand) = work.errands.get_mut(&hook) else { continue };
            flooded |= errand.read();
            if let Some(word) = errand.over(now) {
                work.errands.remove(&hook);
                if work.errands.is_empty() {
                    sweep();
                }
                tell(&self.socket, &word);
                effects.extend(work.schedule.ended(hook, now));
            }
        }
        effects.extend(work.schedule.tick(now));
        self.carry_out(effects);
        if flooded {
            std::thread::sleep(BREATH);
        }
    }

    /// Ends everything that runs.
    fn end(&mut self) {
        let Some(work) = &mut self.work else { return };
        work.errands.values_mut().for_each(|errand| errand.kill(Why::Stopped));
        let until = SystemClock.mono() + DEATH;
        while !work.errands.is_empty() && SystemClock.mono() < until {
            work.errands.retain(|_, errand| errand.over(SystemClock.mono()).is_none());
            std::thread::sleep(Duration::from_millis(1));
        }
        sweep();
    }
}

/// A supervisor that does not listen has gone, which is noticed where we listen to it.
fn tell(socket: &UnixStream, word: &Word) {
    let _ = say(socket, word);
}
