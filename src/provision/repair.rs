//! What is there already: told of, and mended where that was asked for.

use super::flaw::{Flaw, Setting};
use super::patience::failure;
use super::progress::Progress;
use crate::error::Error;
use crate::inventory::Fault;
use crate::store::aws::Target;

/// Tells what is wrong with `thing`; with `repair`, what can be switched on is, by `switch_on`.
///
/// # Errors
/// Something could not be switched on.
pub(super) async fn looked_at(
    thing: &Target,
    mut flaws: Vec<Flaw>,
    repair: bool,
    switch_on: impl AsyncFn(Setting) -> Result<(), Fault>,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let repaired = repair && flaws.iter().any(|flaw| flaw.setting().is_some());
    if repair {
        for setting in flaws.iter().filter_map(Flaw::setting) {
            switch_on(setting).await.map_err(|fault| {
                failure(&format!("{thing}: {} could not be switched on", setting.name()), &fault)
            })?;
            progress.switched_on(thing, setting);
        }
        flaws.retain(|flaw| flaw.setting().is_none());
    }
    progress.existing(thing, &flaws, repaired);
    Ok(())
}
