//! What is explored, and that every rule is needed.
//!
//! The first half keeps to what a debug build explores in seconds; `TFGUARD_MODEL` lets the last test
//! explore more, see `docs/design/model.md`.

#![allow(clippy::disallowed_macros, reason = "how much was explored is told where somebody asks for it")]

use super::judge::Rule;
use super::mutant::Mutant;
use super::scope::{Budget, Plan, Scope};
use super::time::QUANTUM;
use crate::lease::session::Wait;

const NOTHING: Budget = Budget {
    timeouts: 0,
    breaks: 0,
    refusals: 0,
    crashes: 0,
    freezes: 0,
    cancels: 0,
    revocations: 0,
    removals: 0,
};
const CRASH: Budget = Budget { crashes: 1, ..NOTHING };
const TIMEOUT: Budget = Budget { timeouts: 1, ..NOTHING };
const FREEZE: Budget = Budget { freezes: 1, ..NOTHING };
const SHARED: Plan = Plan::SHARED;
const EXCLUSIVE: Plan = Plan::EXCLUSIVE;

/// Explores all of it: no rule is ever broken.
fn keeps_the_rules(scopes: impl IntoIterator<Item = (&'static str, Scope)>) {
    for (name, scope) in scopes {
        let found = scope.explore(1);
        println!(
            "{name}: {} situations, {} steps between them, {} deep",
            found.states, found.steps, found.depth
        );
        assert!(found.broken.is_none(), "{name}: {:?}", found.broken);
        assert!(found.states > 1000, "{name}: hardly anything was explored");
    }
}

#[test]
fn two_with_crashes_and_requests_that_are_lost_or_late() {
    let both = Budget { timeouts: 1, crashes: 1, ..NOTHING };
    let ways = Budget { breaks: 1, refusals: 1, ..NOTHING };
    keeps_the_rules([
        ("two, a timeout and a crash", Scope::exclusive(2).budget(both)),
        ("two, two timeouts", Scope::exclusive(2).budget(Budget { timeouts: 2, ..NOTHING })),
        ("two at once, a broken connection, a refusal", Scope::exclusive(2).together().budget(ways)),
    ]);
}

#[test]
fn two_with_guardians_and_operators() {
    let hands = Budget { cancels: 1, revocations: 1, removals: 1, ..NOTHING };
    let both = Budget { timeouts: 1, crashes: 1, ..NOTHING };
    keeps_the_rules([
        ("two, a cancel, a revocation, a removal", Scope::exclusive(2).budget(hands)),
        ("two at once, a guardian, a timeout", Scope::exclusive(2).together().guardians().budget(both)),
    ]);
}

#[test]
fn two_with_a_supervisor_that_is_stopped_and_clocks_that_drift() {
    keeps_the_rules([
        ("two at once, a stopped supervisor", Scope::exclusive(2).together().budget(FREEZE)),
        ("two at once, drifting clocks, a crash", Scope::exclusive(2).together().drift().budget(CRASH)),
    ]);
}

#[test]
fn three_in_a_queue() {
    let revocation = Budget { revocations: 1, ..NOTHING };
    keeps_the_rules([
        ("three, nothing goes wrong", Scope::exclusive(3)),
        ("three at once, a crash", Scope::exclusive(3).together().budget(CRASH)),
        ("three at once, a revocation", Scope::exclusive(3).together().budget(revocation)),
    ]);
}

#[test]
fn shared_and_exclusive_and_impatient_ones() {
    let impatient = Plan { wait: Wait::AtMost(QUANTUM * 3), ..EXCLUSIVE };
    let both = Budget { timeouts: 1, crashes: 1, ..NOTHING };
    keeps_the_rules([
        (
            "shared, exclusive, shared at once, nothing goes wrong",
            Scope::of(&[SHARED, EXCLUSIVE, SHARED]).together(),
        ),
        (
            "exclusive and impatient at once, a timeout, a crash",
            Scope::of(&[EXCLUSIVE, impatient]).together().budget(both),
        ),
    ]);
}

/// A variant, a small scope that shows what is wrong with it, and the property that does.
fn broken() -> Vec<(Mutant, Scope, Rule)> {
    let two = || Scope::exclusive(2);
    let three = || Scope::exclusive(3);
    let shared = || Scope::of(&[SHARED, EXCLUSIVE, SHARED]);
    let cancelled = Budget { timeouts: 1, cancels: 1, ..NOTHING };
    let slow = Budget { timeouts: 1, crashes: 1, ..NOTHING };
    vec![
        (Mutant::IgnoresStamp, two(), Rule::Generation),
        (Mutant::EvictsEarly, two().budget(CRASH), Rule::Entry),
        (Mutant::CountsAnew, two().budget(CRASH), Rule::Served),
        (Mutant::NeverEvicts, two().budget(CRASH), Rule::Served),
        (Mutant::GrantStays, two().budget(CRASH), Rule::Free),
        (Mutant::TakesOver, three().budget(CRASH), Rule::Order),
        (Mutant::NoMargin, two().together().budget(CRASH), Rule::Overlap),
        (Mutant::CountsFromAnswer, two().together().drift().budget(slow), Rule::Overlap),
        (Mutant::SlowClock, two().together().drift().budget(CRASH), Rule::Overlap),
        (Mutant::StartsOnGrant, three().together().budget(CRASH), Rule::Overlap),
        (Mutant::ReleasesFirst, two(), Rule::Overlap),
        (Mutant::BelievesUnanswered, two().budget(TIMEOUT), Rule::Overlap),
        (Mutant::ForgetsUnanswered, two().budget(cancelled), Rule::Out),
        (Mutant::JumpsQueue, three(), Rule::Order),
        (Mutant::SharedJumpsQueue, shared(), Rule::Order),
        (Mutant::SharedJoinsExclusive, shared(), Rule::Sound),
        (Mutant::KeepsGeneration, two(), Rule::Generation),
        (Mutant::ReleasesAll, two(), Rule::Entry),
        (Mutant::ReleasesNothing, two(), Rule::Out),
        (Mutant::ServesNobody, two(), Rule::Sound),
        (Mutant::StopsPolling, two(), Rule::Served),
        (Mutant::IgnoresRevocation, two().budget(Budget { revocations: 1, ..NOTHING }), Rule::Revoked),
    ]
}

#[test]
fn every_broken_variant_is_caught_by_the_property_that_it_offends() {
    let mut offended = vec![];
    for (mutant, scope, rule) in broken() {
        let found = scope.mutant(mutant).explore(1);
        println!("{mutant:?}: {} situations, {:?}", found.states, found.broken);
        let kind = found.broken.as_ref().map(|(rule, _)| *rule);
        assert_eq!(kind, Some(rule), "{mutant:?}: {:?}", found.broken);
        offended.push(rule);
    }
    assert!(Rule::ALL.iter().all(|rule| offended.contains(rule)), "no variant offends some property");
}

/// Reads a scope: one letter for each who takes part (`e`xclusive, `s`hared, `i`mpatient), then
/// `NAME=COUNT` of what may go wrong, and `guardians`, `drift`, `together`.
fn read(text: &str) -> Result<Scope, String> {
    let mut words = text.split_whitespace();
    let plans: Result<Vec<Plan>, String> = words.next().unwrap_or_default().chars().map(plan).collect();
    let mut scope = Scope::of(&plans?);
    for word in words {
        let (name, count) = word.split_once('=').unwrap_or((word, "1"));
        let count = count.parse().map_err(|error| format!("{word}: {error}"))?;
        let budget = &mut scope.budget;
        match name {
            "timeouts" => budget.timeouts = count,
            "breaks" => budget.breaks = count,
            "refusals" => budget.refusals = count,
            "crashes" => budget.crashes = count,
            "freezes" => budget.freezes = count,
            "cancels" => budget.cancels = count,
            "revocations" => budget.revocations = count,
            "removals" => budget.removals = count,
            "guardians" => scope.guardians = true,
            "drift" => scope.drift = true,
            "together" => scope.together = true,
            other => return Err(format!("a scope has no {other:?}")),
        }
    }
    Ok(scope)
}

fn plan(letter: char) -> Result<Plan, String> {
    match letter {
        'e' => Ok(EXCLUSIVE),
        's' => Ok(SHARED),
        'i' => Ok(Plan { wait: Wait::AtMost(QUANTUM * 3), ..EXCLUSIVE }),
        other => Err(format!("nobody takes part as {other:?}")),
    }
}

#[test]
#[ignore = "explores what TFGUARD_MODEL names, for minutes to hours"]
fn larger_scopes() {
    let scopes =
        std::env::var("TFGUARD_MODEL").unwrap_or_else(|_| "ee timeouts=2 crashes=1; eee timeouts=1".into());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for text in scopes.split(';') {
        let scope = read(text).unwrap_or_else(|error| panic!("TFGUARD_MODEL: {error}"));
        let found = scope.explore(threads);
        println!(
            "{}: {} situations, {} steps between them, {} deep",
            text.trim(),
            found.states,
            found.steps,
            found.depth
        );
        assert!(found.broken.is_none(), "{text}: {:?}", found.broken);
    }
}
