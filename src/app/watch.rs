//! `status --watch`: the live view, put together from the model, the terminal and the store.

use std::io::IsTerminal;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Duration, sleep};

use super::{setup, status, stopped};
use crate::child::{Arrival, Job, Jobs};
use crate::cli::{Colour, Config, Look};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::lease::LockName;
use crate::report::event::{Event as Told, Level};
use crate::report::{Reporter, SharedWriter};
use crate::store::{LatentStore, Store, StoreError, StoreSpec};
use crate::watch::feed::Order;
use crate::watch::keys;
use crate::watch::stream::Stream;
use crate::watch::view::{self, Glyphs, Palette, Theme};
use crate::watch::{Effect, Event, Feed, Model, Screen, Source, Subject};

/// How often the clocks on the screen go on.
const TICK: Duration = Duration::from_secs(1);
/// How long the suspend key may take to reach us.
const SUSPENDED: Duration = Duration::from_millis(500);

/// Shows locks until somebody has seen enough.
pub(super) async fn watch(
    config: &Config,
    look: &Look,
    mut arrivals: UnboundedReceiver<Arrival>,
    reporter: &Reporter,
) -> Result<u8, Error> {
    if !look.json {
        require_terminal()?;
    }
    tokio::select! {
        opened = open(config, look) => match (opened?, look.json) {
            (seen, true) => tokio::select! {
                streamed = stream(seen, reporter) => streamed,
                error = stopped(&mut arrivals) => Err(error),
            },
            (seen, false) => show(seen, config.log.colour, &mut arrivals).await,
        },
        error = stopped(&mut arrivals) => Err(error),
    }
}

fn require_terminal() -> Result<(), Error> {
    let dumb = setup::env_text("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let why = match (std::io::stdin().is_terminal() && std::io::stdout().is_terminal(), dumb) {
        (false, _) => "stdin and stdout are no terminal",
        (true, true) => "this terminal (TERM) cannot show it",
        (true, false) => return Ok(()),
    };
    Err(Error::Usage(format!(
        "status --watch draws on a terminal, and {why}: --watch --json prints a line for every change, and status \
         without --watch looks once"
    )))
}

/// What is watched.
struct Seen {
    source: Source,
    subject: Subject,
    store: String,
    sources: crate::cli::source::Sources,
}

async fn open(config: &Config, look: &Look) -> Result<Seen, Error> {
    if let Some(all) = &look.all {
        let (spec, sources) = status::whole_store(config)?;
        let store = to_watch(&spec).await.map_err(|source| Error::Listing { source })?;
        let described = store.describe();
        let (source, subject) = (Source::All(store, all.prefix.clone()), Subject::All(all.prefix.clone()));
        return Ok(Seen { source, subject, store: described, sources });
    }
    let directory = setup::inspect_for(config)?;
    let mut target = setup::target(config, &directory, false)?;
    setup::ambient_sources(&mut target);
    let mut named: Vec<(LockName, Arc<dyn Store>)> = Vec::new();
    for site in &target.sites {
        let lock = site.lock.to_string();
        let store = to_watch(&site.store).await;
        let store = store.map_err(|source| Error::Store { lock, source, advice: String::new() })?;
        named.push((site.lock.clone(), store));
    }
    let mut stores: Vec<String> = named.iter().map(|(_, store)| store.describe()).collect();
    stores.dedup();
    let names: Vec<String> = named.iter().map(|(lock, _)| lock.to_string()).collect();
    let subject = match names.as_slice() {
        [one] => Subject::One(one.clone()),
        _ => Subject::Several(names),
    };
    Ok(Seen { source: Source::Named(named), subject, store: stores.join(", "), sources: target.sources })
}

/// Looking makes nothing, however often.
async fn to_watch(spec: &StoreSpec) -> Result<Arc<dyn Store>, StoreError> {
    match spec {
        StoreSpec::Local { dir } if !dir.exists() => Ok(Arc::new(LatentStore::new(dir.clone()))),
        _ => spec.open().await,
    }
}

async fn stream(seen: Seen, reporter: &Reporter) -> Result<u8, Error> {
    let stream = Stream { source: seen.source, store: seen.store, sources: seen.sources };
    let (mut answered, mut troubled) = (false, false);
    let trouble = |error: Option<StoreError>| match error {
        None => {
            if std::mem::take(&mut troubled) {
                reporter.emit(Told::say(Level::Info, format!("{} answers again", stream.store)));
            }
            answered = true;
            Ok(())
        }
        // What cannot work is said at once; what worked once may work again.
        Some(source) if !answered && !source.is_transient() => Err(Error::Listing { source }),
        Some(source) => {
            if !std::mem::replace(&mut troubled, true) {
                reporter.emit(Told::say(Level::Warn, format!("{source}; trying again")));
            }
            Ok(())
        }
    };
    stream.run(&SharedWriter::stdout(), trouble).await?;
    Ok(0)
}

/// On the terminal.
async fn show(seen: Seen, colour: Colour, arrivals: &mut UnboundedReceiver<Arrival>) -> Result<u8, Error> {
    let mut model = Model::new(seen.subject, seen.store, SystemClock.now().wall);
    let mut feed = Feed::new(seen.source, model.wanted());
    // What cannot work is said where it can be read on; what only fails now is tried again.
    let first = tokio::select! {
        asked = feed.ask() => match asked {
            Ok(events) => events,
            Err(error) if error.is_transient() => vec![feed.failed(&error)],
            Err(source) => return Err(Error::Listing { source }),
        },
        error = stopped(arrivals) => return Err(error),
    };
    for event in first {
        model.update(event);
    }
    let (orders, ordered) = unbounded_channel();
    let (events, told) = unbounded_channel();
    let feeding = tokio::spawn(feed.run(ordered, events));
    let theme = Theme {
        palette: if colour.on_stdout() { Palette::Colour } else { Palette::Plain },
        glyphs: Glyphs::of(&setup::env_text),
    };
    let shown = Show { model, theme, orders, told }.run(arrivals).await;
    feeding.abort();
    shown
}

/// The loop of the live view.
struct Show {
    model: Model,
    theme: Theme,
    orders: UnboundedSender<Order>,
    told: UnboundedReceiver<Event>,
}

/// Something that ends the wait for it.
enum Next {
    Event(Event),
    Job(Job),
    Over(Error),
}

impl Show {
    async fn run(mut self, arrivals: &mut UnboundedReceiver<Arrival>) -> Result<u8, Error> {
        if self.theme.palette == Palette::Colour {
            // Whether there is colour was decided, and not by NO_COLOR alone.
            crossterm::style::force_color_output(true);
        }
        let mut jobs = Jobs::listen().map_err(|error| Error::Bug(format!("signals: {error}")))?;
        let mut screen = Screen::take().map_err(|error| gone(&error))?;
        let (pressed, mut typed) = unbounded_channel();
        keys::listen(pressed).map_err(|error| Error::Bug(format!("keys: {error}")))?;
        self.measure(&screen)?;
        loop {
            let (model, theme) = (&mut self.model, self.theme);
            let mut lines = 0;
            let view = |area, buffer: &mut _| lines = view::draw(model, theme, area, buffer);
            screen.draw(view).map_err(|error| gone(&error))?;
            self.model.detail_lines = lines;
            let next = tokio::select! {
                biased;
                error = stopped(arrivals) => Next::Over(error),
                job = jobs.next() => Next::Job(job),
                key = typed.recv() => key.map_or_else(|| Next::Over(hung_up()), Next::Event),
                event = self.told.recv() => match event {
                    Some(event) => Next::Event(event),
                    None => Next::Over(Error::Bug("the store is not asked any more".into())),
                },
                () = sleep(TICK) => Next::Event(Event::Tick(SystemClock.now().wall)),
            };
            let event = match next {
                Next::Event(event) => event,
                Next::Over(error) => return Err(error),
                Next::Job(Job::Stop) => {
                    screen.leave();
                    jobs.stop();
                    self.back(&mut screen)?;
                    continue;
                }
                Next::Job(Job::Continued) => {
                    self.back(&mut screen)?;
                    continue;
                }
            };
            self.model.update(Event::Tick(SystemClock.now().wall));
            match self.model.update(event) {
                None => {}
                Some(Effect::Quit) => return Ok(0),
                Some(Effect::Interrupt) => return Err(Error::Cancelled { name: "SIGINT", number: 2 }),
                Some(Effect::Refresh) => self.order(Order::Refresh),
                Some(Effect::Want(wanted)) => self.order(Order::Want(wanted)),
                Some(Effect::Suspend) => {
                    screen.leave();
                    jobs.suspend_group();
                    tokio::select! {
                        _ = jobs.next() => {}
                        () = sleep(SUSPENDED) => {}
                    }
                    jobs.stop();
                    self.back(&mut screen)?;
                }
            }
        }
    }

    fn order(&self, order: Order) {
        // Whoever is not asked any more is found out by the loop.
        let _ = self.orders.send(order);
    }

    /// We go on after a stop: the terminal may be another by now, and what is on it is old.
    fn back(&mut self, screen: &mut Screen) -> Result<(), Error> {
        screen.enter_again().map_err(|error| gone(&error))?;
        self.model.update(Event::Tick(SystemClock.now().wall));
        self.order(Order::Refresh);
        self.measure(screen)
    }

    fn measure(&mut self, screen: &Screen) -> Result<(), Error> {
        let (width, height) = screen.size().map_err(|error| gone(&error))?;
        self.model.update(Event::Resized { width, height });
        Ok(())
    }
}

fn hung_up() -> Error {
    Error::Cancelled { name: "SIGHUP", number: 1 }
}

/// The terminal does not take what we draw.
fn gone(error: &std::io::Error) -> Error {
    tracing::debug!(%error, "the terminal has gone");
    hung_up()
}
