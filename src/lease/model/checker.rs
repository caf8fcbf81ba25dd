//! The exploration itself, by stateright, and the two properties that need a look ahead.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::action::Action;
use super::judge::Rule;
use super::scope::Scope;
use super::time::{GRANT, PATIENCE};
use super::world::{Life, World};

/// More steps than anybody needs to get a lock: whoever takes more goes round in circles.
const STEPS: u32 = 500;

/// A scope as stateright explores it.
#[derive(Debug)]
pub(super) struct Exploration {
    scope: Scope,
    /// What comes of each situation in which nothing goes wrong any more: nothing bad, or what.
    ends: Mutex<HashMap<u64, Option<Rule>>>,
}

/// What an exploration found.
#[derive(Debug)]
pub(super) struct Found {
    /// Distinct situations.
    pub(super) states: usize,
    /// Steps between them.
    pub(super) steps: usize,
    /// The most steps that it takes to any.
    pub(super) depth: usize,
    /// The rule that was broken, and how.
    pub(super) broken: Option<(Rule, Vec<Action>)>,
}

impl Scope {
    /// Looks at every situation that can come about, or at all until one breaks a rule.
    pub(super) fn explore(self, threads: usize) -> Found {
        let model = Exploration { scope: self, ends: Mutex::default() };
        let checker = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
        let checker = checker.spawn_bfs().join();
        let broken = Rule::ALL.into_iter().find_map(|rule| {
            let path = checker.discovery(rule.name())?;
            Some((rule, path.into_actions()))
        });
        Found {
            states: checker.unique_state_count(),
            steps: checker.state_count(),
            depth: checker.max_depth(),
            broken,
        }
    }
}

impl Model for Exploration {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.scope)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.possible(&self.scope, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.step(&self.scope, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! kept {
            ($($rule:ident),*) => {
                vec![$(Property::always(Rule::$rule.name(), |model: &Self, world: &World| {
                    model.verdict(world) != Some(Rule::$rule)
                })),*]
            };
        }
        kept![Overlap, Generation, Order, Entry, Out, Revoked, Sound, Served, Free]
    }
}

impl Exploration {
    fn verdict(&self, world: &World) -> Option<Rule> {
        world.broken.or_else(|| self.in_peace(world))
    }

    /// What comes of `world` if nothing goes wrong from now on. Every situation has one next step then,
    /// so that all of them together are walked through once: a walk ends where an earlier one has been.
    /// A walk that meets itself never ends, and whoever is up in it is never served.
    fn in_peace(&self, world: &World) -> Option<Rule> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ends.get(&world.print()) {
            return *known;
        }
        let mut way = vec![];
        let mut world = world.clone();
        let verdict = loop {
            let print = world.print();
            if let Some(known) = ends.get(&print) {
                break *known;
            }
            if way.contains(&print) {
                break Some(Rule::Served);
            }
            way.push(print);
            if world.broken.is_some() {
                break world.broken;
            }
            match world.next_in_peace(&self.scope) {
                Some(action) => world.step(&self.scope, action),
                None => break self.can_be_had(world),
            }
        };
        ends.extend(way.into_iter().map(|print| (print, verdict)));
        verdict
    }

    /// Everybody is through. Somebody who comes now gets the lock: at once where it is free, and else
    /// as soon as the dead who stand in the record have been watched for their patience.
    fn can_be_had(&self, mut world: World) -> Option<Rule> {
        let (mut grants, mut active) = (0, 0);
        if let Some(record) = world.record() {
            active = u64::from(!record.is_free());
            grants = u64::try_from(record.queue.len() + record.holders.len()).unwrap_or(u64::MAX);
        }
        // One quantum for each look that finds the next dead one.
        let until = world.now + active * PATIENCE + grants * (GRANT + 1);
        let last = world.arrive();
        let mut steps = 0;
        while !world.actors[last].acquired {
            steps += 1;
            let action = world.next_in_peace(&self.scope)?;
            world.step(&self.scope, action);
            if world.now > until || steps > STEPS || world.broken.is_some() {
                return world.broken.or(Some(Rule::Free));
            }
        }
        None
    }
}

impl World {
    /// One more comes, who wants the lock alone.
    fn arrive(&mut self) -> usize {
        let who = self.actors.len();
        self.actors.push(std::sync::Arc::new(super::world::Actor::new(who, self.now)));
        debug_assert!(self.actors[who].life == Life::Off);
        who
    }
}
