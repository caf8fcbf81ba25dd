//! What is going to happen, drawn from a seed.

use std::time::Duration;

use fastrand::Rng;

use crate::guardian::stage::Over;
use crate::support::fault::Fault;

/// A scene. Times count from its beginning.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) over: Over,
    pub(super) contenders: Vec<Contender>,
    pub(super) trouble: Option<Trouble>,
    /// How long Terraform's state takes to be written, so that a graceful stop takes time.
    pub(super) slow_state: Duration,
}

/// One run.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) name: String,
    pub(super) start: Duration,
    /// How long its provisioner works, in seconds.
    pub(super) work: f64,
    pub(super) quirk: Quirk,
    pub(super) hooks: Hooks,
    /// What is done to it, and when.
    pub(super) blow: Option<(Duration, Blow)>,
}

/// What is odd about a run from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirk {
    None,
    Json,
    /// The reader of its stdout goes away.
    StdoutClosed,
    /// Its log file is on a full disk.
    LogFull,
}

/// What the run's hooks do, which are told of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hooks {
    None,
    Quick,
    /// They leave something behind that hears no signal.
    Leaving,
    /// They hear no signal, and do not end.
    Stuck,
}

/// What is done to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// SIGKILL to the supervisor.
    Supervisor,
    /// SIGKILL to the guardian.
    Guardian,
    /// SIGKILL to both; Terraform is spared.
    Both,
    /// SIGKILL to Terraform.
    Terraform,
    /// SIGKILL to Terraform's process group.
    Group,
    /// SIGKILL to all of it: the machine dies.
    Everything,
    /// SIGTERM to the supervisor.
    Stop,
    /// SIGTERM to all of it, as some runners do.
    StopEverybody,
    /// SIGSTOP to the supervisor, for longer than the lease.
    Freeze,
    /// SIGSTOP to the guardian, for longer than the lease.
    FreezeGuardian,
}

/// How long a frozen process is frozen.
pub(super) const FROZEN: Duration = Duration::from_secs(12);

/// Something between all the runs and their store.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    /// Over files: somebody has the store's file locked instead.
    pub(super) fault: Fault,
}

impl Scene {
    /// Over `store`, or over one that follows from the seed.
    pub(super) fn from_seed(seed: u64, store: Option<Over>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let over = match (store, if rng.bool() { Over::Local } else { Over::Dynamo }) {
            (Some(store), _) => store,
            // Decided apart, so that a seed's scene stays what it was before there was an S3.
            (None, _) if seed.is_multiple_of(3) => Over::S3,
            (None, drawn) => drawn,
        };
        let trouble = (rng.f64() < 0.35).then(|| Trouble::draw(&mut rng));
        let troubled = trouble.is_some();
        let mut contenders: Vec<Contender> =
            (0..rng.usize(2..=3)).map(|number| Contender::draw(number, troubled, &mut rng)).collect();
        // From numbers of their own, so that a seed's scene stays what it was before there were hooks.
        let mut apart = Rng::with_seed(!seed);
        for contender in &mut contenders {
            contender.hooks = Hooks::draw(&mut apart);
        }
        let slow_state = milliseconds(&mut rng, 0..800);
        Self { over, contenders, trouble, slow_state }
    }

    /// Whether a run may end with Terraform's state lock left behind: Terraform itself was killed,
    /// or was left without a reader.
    pub(super) fn may_lock_state(&self) -> bool {
        let kills = [Blow::Terraform, Blow::Group, Blow::Everything, Blow::Both];
        self.contenders.iter().any(|contender| contender.was_hit_by(&kills))
    }
}

/// In one line.
impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.over)?;
        for contender in &self.contenders {
            match contender.blow {
                Some((_, blow)) => write!(f, ", {blow:?}")?,
                None => f.write_str(", spared")?,
            }
        }
        match &self.trouble {
            Some(trouble) => write!(f, "; {:?}", trouble.fault),
            None => Ok(()),
        }
    }
}

impl Hooks {
    fn draw(rng: &mut Rng) -> Self {
        match rng.usize(0..8) {
            0 => Self::Quick,
            1 => Self::Leaving,
            2 => Self::Stuck,
            _ => Self::None,
        }
    }

    /// The command line of each.
    pub(super) fn command(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Quick => Some("cat"),
            Self::Leaving => Some(r#"sh -c "trap '' TERM INT HUP; sleep 60 &""#),
            Self::Stuck => Some(r#"sh -c "trap '' TERM INT HUP; sleep 60; sleep 60""#),
        }
    }
}

impl Contender {
    fn draw(number: usize, troubled: bool, rng: &mut Rng) -> Self {
        let blow = match rng.usize(0..24) {
            0..=4 => Some(Blow::Supervisor),
            5 | 6 => Some(Blow::Guardian),
            7 | 8 => Some(Blow::Both),
            9 | 10 => Some(Blow::Terraform),
            11 => Some(Blow::Group),
            12 | 13 => Some(Blow::Everything),
            14 | 15 => Some(Blow::Stop),
            16 | 17 => Some(Blow::StopEverybody),
            18 => Some(Blow::Freeze),
            19 => Some(Blow::FreezeGuardian),
            _ => None,
        };
        let quirk = match rng.usize(0..10) {
            0 => Quirk::StdoutClosed,
            1 => Quirk::LogFull,
            2 | 3 => Quirk::Json,
            _ => Quirk::None,
        };
        // Long enough to be at work when the lease is at risk, where it comes to that.
        let long = troubled && rng.bool() || matches!(blow, Some(Blow::Freeze | Blow::Both));
        Self {
            name: format!("run{number}"),
            start: milliseconds(rng, 0..1000),
            work: if long { 5.0 + 4.0 * rng.f64() } else { 2.5 * rng.f64() },
            quirk,
            hooks: Hooks::None,
            blow: blow.map(|blow| (milliseconds(rng, 0..4500), blow)),
        }
    }

    pub(super) fn was_hit_by(&self, blows: &[Blow]) -> bool {
        self.blow.is_some_and(|(_, blow)| blows.contains(&blow))
    }
}

impl Trouble {
    fn draw(rng: &mut Rng) -> Self {
        let at = milliseconds(rng, 0..4000);
        let lasts = milliseconds(rng, 500..12_000);
        let fault = match rng.usize(0..7) {
            0 | 1 => Fault::Hang,
            2 => Fault::Close,
            3 => Fault::Error(500, "InternalServerError", "The request could not be processed."),
            4 => Fault::Slow(milliseconds(rng, 100..1500)),
            5 => Fault::Late(Duration::from_millis(1500)),
            _ => Fault::LoseAnswer,
        };
        Self { at, lasts, fault }
    }
}

fn milliseconds(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}
