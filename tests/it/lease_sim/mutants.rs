//! Worlds in which one rule is broken: the judge finds it out within a few hundred seeds. The sessions stay the real
//! ones; what they are shown, what they send, or what their supervisor makes of it is changed.

use std::time::Duration;

use tfguard::lease::session::{Answer, Request};
use tfguard::lease::{Deadlines, Record, Session};

use super::actor::Plan;
use super::clock::{MS, SEC};
use super::network::Fate;
use super::world::{Event, World};

/// How many seeds there are to find it.
const SEEDS: u64 = 400;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A silent holder is evicted after 1.0 L.
    ShortPatience,
    /// A silent holder is watched for 100 L.
    EndlessPatience,
    /// What is left of a child is killed at 1.3 L.
    LateKill,
    /// A child that was interrupted counts as dead.
    ReleasesFirst,
    /// A newcomer stands at the head of the queue.
    JumpsQueue,
    /// The generation does not rise.
    KeepsGeneration,
    /// A session uses one stamp for everything.
    RepeatsStamp,
    /// A write without an answer counts as turned away.
    ForgetsUnanswered,
    /// The end of the last run is wiped out.
    CoversUp,
    /// A release serves nobody.
    ServesNobody,
    /// Whoever writes takes the others out.
    ReleasesAll,
    /// A release is not sent, and counts as done.
    ReleasesNothing,
    /// A heartbeat shows the beat before.
    BeatStays,
    /// Whoever writes gives a sign of life for the others too.
    BeatsForOthers,
    /// A release serves the second in the queue.
    ServesSecond,
    /// Runs are counted twice.
    CountsTwice,
}

/// What is broken, and a word of what the judge says of it.
const CAUGHT: [(Mutant, &str); 15] = [
    (Mutant::ShortPatience, "which gave a sign of life just before"),
    (Mutant::EndlessPatience, "starved"),
    (Mutant::LateKill, "overlap"),
    (Mutant::ReleasesFirst, "leaves the holders while its child runs"),
    (Mutant::JumpsQueue, "the queue should be"),
    (Mutant::KeepsGeneration, "was there before"),
    (Mutant::RepeatsStamp, "was used twice"),
    (Mutant::CoversUp, "was covered up"),
    (Mutant::ServesNobody, "the record is broken"),
    (Mutant::ReleasesAll, "which gave a sign of life just before"),
    (Mutant::ReleasesNothing, "says that it is out, and the record shows it"),
    (Mutant::BeatStays, "its beat did not rise"),
    (Mutant::BeatsForOthers, "changed the entry of"),
    (Mutant::ServesSecond, "out of order"),
    (Mutant::CountsTwice, "the run counter went"),
];

#[test]
fn every_broken_rule_is_found_out() {
    let mut missed = Vec::new();
    for (mutant, word) in CAUGHT {
        let verdict = |seed: u64| {
            let mut world = World::random(seed);
            world.mutant = Some(mutant);
            world.play().err()
        };
        let found = (0..SEEDS).find(|seed| verdict(*seed).is_some_and(|broken| broken.contains(word)));
        match found {
            Some(seed) => println!("{mutant:?}: found out by seed {seed}"),
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "not found out in {SEEDS} seeds: {missed:?}");
}

/// What it takes for this comes together too rarely to be waited for.
#[test]
fn whoever_forgets_a_write_without_an_answer_comes_back() {
    let mut world = World::new(22);
    world.mutant = Some(Mutant::ForgetsUnanswered);
    world.add(Plan::new(SEC));
    world.script = Some(Box::new(|sent| {
        let lands_late = Fate::AnswerLost { up: 40 * SEC };
        matches!(sent.what, Request::Write { .. }).then_some(lands_late)
    }));
    // Between the end of the write's 2.5 s and the next try.
    world.at(SEC + 2_530 * MS, Event::Cancel(0));
    let broken = world.run_until(120 * SEC).unwrap_err();
    assert!(broken.contains("had left for good and is in the record again"), "{broken}");
}

impl Mutant {
    /// What `name` is told in place of `answer`.
    pub(super) fn told(self, name: &str, answer: Answer) -> Answer {
        let show = |record: Option<Record>| {
            record.map(|mut record| {
                let others = record.holders.iter_mut().filter(|holder| holder.session != name);
                others.for_each(|holder| holder.lease_ms = self.lease(holder.lease_ms));
                record
            })
        };
        match answer {
            Answer::Read(record) => Answer::Read(show(record)),
            Answer::Conflict(record) => Answer::Conflict(show(record)),
            Answer::Failed { transient, .. } if self == Self::ForgetsUnanswered => {
                Answer::Failed { refused: true, transient }
            }
            answer => answer,
        }
    }

    /// By which the child is stopped.
    pub(super) fn deadlines(self, session: &Session) -> Option<Deadlines> {
        let deadlines = session.deadlines()?;
        let late = session.tenure().map_or(Duration::ZERO, |tenure| tenure.own.lease().length() * 4 / 10);
        let kill = if self == Self::LateKill { deadlines.kill + late } else { deadlines.kill };
        Some(Deadlines { kill, ..deadlines })
    }

    /// The lease that others see.
    fn lease(self, millis: u64) -> u64 {
        match self {
            Self::ShortPatience => millis * 10 / 11,
            Self::EndlessPatience => millis * 91,
            _ => millis,
        }
    }

    /// What lands in place of `after`, written by `name`. `None`: nothing, and it counts as done.
    pub(super) fn landing(self, name: &str, before: Option<&Record>, mut after: Record) -> Option<Record> {
        let Some(before) = before else { return Some(after) };
        for holder in after.holders.iter_mut().filter(|holder| holder.session != name) {
            let stands = before.holder(&holder.session);
            holder.lease_ms = stands.map_or(holder.lease_ms, |stands| stands.lease_ms);
        }
        let own = before.holder(name).cloned();
        let releases = own.is_some() && after.holder(name).is_none();
        match self {
            Self::JumpsQueue if before.queue.len() < after.queue.len() => after.queue.rotate_right(1),
            Self::KeepsGeneration if after.generation > before.generation => {
                for holder in after.holders.iter_mut().filter(|holder| holder.generation == after.generation)
                {
                    holder.generation = before.generation;
                }
                after.generation = before.generation;
            }
            Self::RepeatsStamp => after.stamp = format!("{name}/n/0"),
            Self::CoversUp if before.last.is_some() => after.last = None,
            Self::ServesNobody if releases => {
                after.holders.retain(|holder| before.holder(&holder.session).is_some());
                after.queue.clone_from(&before.queue);
            }
            Self::ReleasesAll => {
                after
                    .holders
                    .retain(|holder| holder.session == name || before.holder(&holder.session).is_none());
            }
            Self::BeatsForOthers => {
                let others =
                    after.holders.iter_mut().filter(|holder| before.holder(&holder.session).is_some());
                others.filter(|holder| holder.session != name).for_each(|holder| holder.beat += 1);
            }
            Self::ServesSecond if releases && before.queue.len() > 1 => {
                let (granted, second) = (after.holders.first_mut(), before.queue.get(1));
                if let (Some(granted), Some(second), Some(head)) = (granted, second, before.queue.first()) {
                    granted.session.clone_from(&second.session);
                    after.queue.retain(|waiter| waiter.session != second.session);
                    after.queue.insert(0, head.clone());
                }
            }
            Self::CountsTwice if after.runs > before.runs => after.runs += 1,
            Self::ReleasesNothing if releases => return None,
            Self::BeatStays => {
                let beat = own.map(|own| own.beat);
                let own = after.holders.iter_mut().find(|holder| holder.session == name);
                if let (Some(own), Some(beat)) = (own, beat) {
                    own.beat = beat;
                }
            }
            _ => {}
        }
        Some(after)
    }
}
