//! What a child leaves behind is dead before anything else happens.

use std::time::Duration;

use super::attend::{SWEEP, Scene, Step};
use crate::child::{Leftovers, Pid, Running};
use crate::guardian::Guardian;
use crate::report::event::{Event, Level};

impl Scene<'_> {
    /// Ends a child that cannot be attended to.
    pub(super) async fn abandon(&self, running: &mut Running, step: &Step) {
        self.attempt("kill the child", running.kill());
        while running.poll().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.bury(running, step).await;
    }

    /// Kills what the child left and says so. Comes back when nothing of it is alive.
    pub(super) async fn bury(&self, running: &Running, step: &Step) {
        let leftovers = self.leftovers(running);
        let mut named = false;
        loop {
            let swept = leftovers.sweep(SWEEP).await;
            if !swept.names.is_empty() && !named {
                named = true;
                let text = format!(
                    "{} left processes behind, which were killed: {}",
                    step.shown.first().map_or("the command", String::as_str),
                    swept.names.join(", ")
                );
                self.emit(Event::say(Level::Warn, text));
            }
            if swept.survivors == 0 {
                return;
            }
            let text = format!(
                "{} of the command's processes cannot be killed; {} is kept until they are gone",
                swept.survivors, self.named
            );
            self.emit(Event::say(Level::Error, text));
        }
    }

    /// What the child leaves behind, and not what is our own.
    pub(super) fn leftovers(&self, running: &Running) -> Leftovers {
        let guardian = self.keys.guardian.as_ref().and_then(Guardian::pid);
        let ours: Vec<Pid> = guardian.into_iter().chain(self.keeper).collect();
        // Under an ancestor's lock we carry its session ourselves, which tells nobody apart; what
        // moves into our group there is in the ancestor's child, and swept with it.
        Leftovers::of(running.pgid(), &ours, self.session)
    }
}
