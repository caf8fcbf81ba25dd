//! Traces and metrics of a run, where this program was built with them.

#[cfg(not(feature = "otel"))]
pub(super) use without::Watching;

#[cfg(feature = "otel")]
pub(super) use with::Watching;

#[cfg(feature = "otel")]
mod with {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use crate::app::setup;
    use crate::cli::{Action, Config};
    use crate::report::Reporter;
    use crate::telemetry::Telemetry;

    /// How long a run that is over waits for its collector.
    const BOUND: Duration = Duration::from_secs(2);

    /// What watches a run, if anything does.
    pub(in crate::app) struct Watching(Option<Arc<Telemetry>>);

    impl Watching {
        /// From `at` on.
        pub(in crate::app) fn start(config: &Config, at: Timestamp, reporter: &Reporter) -> Self {
            let identity = setup::identity(None, None);
            let (name, env) = (name(&config.action), &setup::env_text);
            Self(Telemetry::start(name, at, &identity, env, reporter, setup::wall))
        }

        /// The reporter, with this listening.
        pub(in crate::app) fn hears(&self, reporter: &Reporter) -> Reporter {
            match &self.0 {
                Some(telemetry) => reporter.heard_by(telemetry.clone()),
                None => reporter.clone(),
            }
        }

        /// Sends what is left. The locks are released by now.
        pub(in crate::app) async fn finish(self) {
            if let Some(telemetry) = self.0 {
                // A panic in there has been told; it takes nothing with it.
                let _ = tokio::task::spawn_blocking(move || telemetry.finish(BOUND)).await;
            }
        }
    }

    fn name(action: &Action) -> &'static str {
        match action {
            Action::Terraform { command, .. } => command.as_str(),
            Action::Run { .. } => "run",
            Action::Drift { .. } => "drift",
            Action::Exec { .. } => "exec",
            Action::Restore { .. } => "state restore",
            _ => "other",
        }
    }
}

#[cfg(not(feature = "otel"))]
mod without {
    use jiff::Timestamp;

    use crate::cli::Config;
    use crate::report::Reporter;

    /// Nothing watches.
    pub(in crate::app) struct Watching;

    impl Watching {
        pub(in crate::app) fn start(_: &Config, _: Timestamp, _: &Reporter) -> Self {
            Self
        }

        pub(in crate::app) fn hears(&self, reporter: &Reporter) -> Reporter {
            reporter.clone()
        }

        #[allow(clippy::unused_async, reason = "as the one that waits")]
        pub(in crate::app) async fn finish(self) {}
    }
}
