//! From an action to the course of a run: which children there are, with which arguments.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::setup;
use crate::child::{Kept, Tally, Target as Aim};
use crate::cli::{Action, Config, Format};
use crate::error::Error;
use crate::lease::Mode;
use crate::report::Level;
use crate::supervisor::run::{Course, Drift, Output, Pipeline, Step, Work};
use crate::terraform::args::{self, Added, Command, Situation};
use crate::terraform::find;
use crate::terraform::init::{self, InitPolicy};
use crate::terraform::invocation::Invocation;
use crate::terraform::version::{self, Feature, Version};
use crate::terraform::{Directory, redact, stages};

/// The course of a run, and what stands for it.
pub(super) struct Built {
    pub(super) course: Course,
    /// The child that the run is about: the one that may change something.
    pub(super) main: Step,
    /// The command line as it may be shown: redacted.
    pub(super) shown: String,
}

impl Built {
    fn of(init: Option<Step>, main: Step) -> Self {
        let shown = main.shown.join(" ");
        Self { course: Course { init, work: Work::Command(main.clone()) }, main, shown }
    }
}

/// The course of `config` in `directory`. `terminal`: somebody is there to be asked. `session` names
/// what is made for this run alone.
pub(super) fn build(
    config: &Config,
    directory: &Directory,
    terminal: bool,
    session: &str,
) -> Result<Built, Error> {
    match &config.action {
        Action::Terraform { command, args, init } => {
            directory.require(*command, args)?;
            let tool = Tool::find(config)?;
            let output = match command {
                Command::Init => Output::Passed,
                Command::Plan | Command::Apply | Command::Destroy => Output::Counted(Tally::default()),
            };
            let main = tool.step(*command, args, Asked { output, ..Asked::by_user(terminal) });
            Ok(Built::of(tool.init(*init, directory, args), main))
        }
        Action::Run { args, init, auto_approve } => {
            run(&Tool::find(config)?, directory, args, *init, *auto_approve, session)
        }
        Action::Drift { args, init, json } => {
            drift(&Tool::find(config)?, directory, args, *init, *json, session)
        }
        Action::Exec { argv } if config.stands_in_for.is_some() => {
            Ok(Built::of(None, Tool::find(config)?.called(argv)))
        }
        Action::Exec { argv } => Ok(Built::of(None, exec(argv, &config.directory)?)),
        Action::Restore { named, init, .. } => {
            directory.require(Command::Plan, &[])?;
            let tool = Tool::find(config)?;
            // It asks nothing, and prints nothing that anybody waits for.
            let push = tool.raw(["state", "push", "-"].map(OsString::from).to_vec(), Output::Passed);
            let built = Built::of(tool.init(*init, directory, &["-no-color".into()]), push);
            Ok(Built { shown: format!("tfguard state restore {named}"), ..built })
        }
        _ => Err(Error::Bug("a command without a child was to be supervised".into())),
    }
}

fn run(
    tool: &Tool<'_>,
    directory: &Directory,
    args: &[OsString],
    init: InitPolicy,
    auto_approve: bool,
    session: &str,
) -> Result<Built, Error> {
    directory.require(Command::Plan, args)?;
    let saved = Saved::new(tool, args, session);
    let added = stages::to_apply(saved.file.as_os_str());
    // Its output is looked at for what it says that it changes, on a terminal too.
    let counted = Output::Piped(Tally::default());
    let asked = Asked { output: counted, added: &added, ..Asked::by_user(false) };
    let plan = Step { automated: true, ..tool.step(Command::Plan, args, asked) };
    let given = saved.given.clone().unwrap_or_else(|| saved.file.clone().into());
    let again = stages::apply_of(&given, args, &directory.ephemeral_variables);
    let output = Output::Counted(Tally::default());
    let apply = tool.step(Command::Apply, &again, Asked { output, ..Asked::by_user(false) });
    let pipeline = Pipeline {
        plan,
        apply: apply.clone(),
        file: saved.file,
        scratch: saved.scratch,
        ask: !auto_approve,
        changes_code: args::has_flag(args, "detailed-exitcode"),
    };
    let course = Course { init: tool.init(init, directory, args), work: Work::Pipeline(Box::new(pipeline)) };
    Ok(Built { course, main: apply, shown: shown("run", args) })
}

fn drift(
    tool: &Tool<'_>,
    directory: &Directory,
    args: &[OsString],
    init: InitPolicy,
    json: bool,
    session: &str,
) -> Result<Built, Error> {
    directory.require(Command::Plan, args)?;
    if let Some(version) = tool.version().filter(|version| !version.has(Feature::RefreshOnly)) {
        return Err(Error::Usage(format!(
            "drift needs a refresh-only plan, which {version} does not know; Terraform has it from 0.15.4 on, and \
             OpenTofu: give another with --terraform-bin PATH"
        )));
    }
    let saved = Saved::new(tool, args, session);
    let added = stages::to_look(saved.file.as_os_str());
    let ndjson = tool.config.log.format == Format::Json;
    let output =
        if ndjson || tool.config.log.level <= Level::Debug { Output::Passed } else { Output::Dropped };
    let asked = Asked { output, interactive: false, requested: ndjson, added: &added };
    let plan = Step { automated: true, ..tool.step(Command::Plan, args, asked) };
    let kept = Kept::default();
    let show = vec!["show".into(), "-json".into(), saved.file.clone().into()];
    let show = tool.raw(show, Output::Kept(kept.clone()));
    let drift = Drift {
        plan: plan.clone(),
        show,
        kept,
        file: saved.file,
        scratch: saved.scratch,
        document: json && !ndjson,
    };
    let course = Course { init: tool.init(init, directory, args), work: Work::Drift(Box::new(drift)) };
    Ok(Built { course, main: plan, shown: shown("drift", args) })
}

/// Our own command line, as others see it in the record.
fn shown(command: &str, args: &[OsString]) -> String {
    let mut words = vec![OsString::from(command)];
    words.extend(args.iter().cloned());
    let mut shown = vec!["tfguard".to_owned()];
    shown.extend(redact::terraform(&words));
    shown.join(" ")
}

/// Where a plan goes that tfguard makes.
struct Saved {
    /// Absolute.
    file: PathBuf,
    /// The folder that is made for it, and removed.
    scratch: Option<PathBuf>,
    /// The name that the user gave, where the plan is the user's to keep.
    given: Option<OsString>,
}

impl Saved {
    fn new(tool: &Tool<'_>, args: &[OsString], session: &str) -> Self {
        let ambient = args::ambient(Command::Plan, &setup::env_text);
        if let Some(given) = args::plan_out(args, &ambient) {
            return Self { file: tool.config.directory.join(&given), scratch: None, given: Some(given) };
        }
        let base = std::path::absolute(std::env::temp_dir()).unwrap_or_else(|_| std::env::temp_dir());
        let scratch = base.join(format!("tfguard-{session}"));
        Self { file: scratch.join("plan"), scratch: Some(scratch), given: None }
    }
}

/// What a step is to be.
struct Asked<'a> {
    output: Output,
    /// It has a terminal to ask at. A step that the user did not ask for has none.
    interactive: bool,
    /// The user asked for it.
    requested: bool,
    added: &'a [Added],
}

impl Asked<'_> {
    fn by_user(interactive: bool) -> Self {
        Self { output: Output::Passed, interactive, requested: true, added: &[] }
    }
}

/// Terraform or OpenTofu, found.
struct Tool<'a> {
    config: &'a Config,
    program: PathBuf,
    version: OnceCell<Option<Version>>,
}

impl<'a> Tool<'a> {
    fn find(config: &'a Config) -> Result<Self, Error> {
        Ok(Self { config, program: find_terraform(config)?, version: OnceCell::new() })
    }

    /// `init`, where it has to come first, as plain or coloured as the command with `args`.
    fn init(&self, policy: InitPolicy, directory: &Directory, args: &[OsString]) -> Option<Step> {
        let plain: &[OsString] = if args::has_flag(args, "no-color") { &["-no-color".into()] } else { &[] };
        let asked = Asked { requested: false, ..Asked::by_user(false) };
        init::needed(policy, directory).then(|| self.step(Command::Init, plain, asked))
    }

    fn step(&self, command: Command, user: &[OsString], asked: Asked<'_>) -> Step {
        let json = self.config.log.format == Format::Json;
        let ambient = args::ambient(command, &setup::env_text);
        let situation = Situation {
            interactive: asked.interactive,
            json,
            shared: self.config.mode == Mode::Shared,
            version: if json { self.version() } else { None },
            added: asked.added,
            ambient: &ambient,
        };
        let args = args::build(command, user, situation);
        let tells_changes = command == Command::Plan && args::tells_changes(&args, &ambient);
        Step { interactive: asked.requested, tells_changes, ..self.raw(args, asked.output) }
    }

    /// A step of our own with exactly these arguments.
    fn raw(&self, args: Vec<OsString>, output: Output) -> Step {
        let name =
            self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned();
        let mut shown = vec![name];
        shown.extend(redact::terraform(&args));
        Step {
            program: self.program.clone(),
            args,
            dir: self.config.directory.clone(),
            shown,
            target: Aim::Process,
            interactive: false,
            automated: false,
            tells_changes: false,
            output,
        }
    }

    /// A command line that came to us under Terraform's name.
    fn called(&self, argv: &[OsString]) -> Step {
        let args = argv.get(1..).unwrap_or_default().to_vec();
        let tells_changes = tells_changes(&Invocation::read(&args), &args);
        let shown = redact::command(argv);
        Step { interactive: true, shown, tells_changes, ..self.raw(args, Output::Passed) }
    }

    /// Asked once, and only where something depends on it: it costs a start of Terraform.
    fn version(&self) -> Option<Version> {
        *self.version.get_or_init(|| version::of(&self.program, &self.config.directory))
    }
}

fn exec(argv: &[OsString], dir: &Path) -> Result<Step, Error> {
    let Some((name, args)) = argv.split_first() else {
        return Err(Error::Usage("exec needs a command: `tfguard exec -- CMD ARGS`".into()));
    };
    let tells_changes = Invocation::of(name, args).is_some_and(|call| tells_changes(&call, args));
    Ok(Step {
        program: find::program(name, &setup::search(dir))?,
        args: args.to_vec(),
        dir: dir.to_path_buf(),
        shown: redact::command(argv),
        target: Aim::Group,
        interactive: true,
        automated: false,
        tells_changes,
        output: Output::Passed,
    })
}

fn tells_changes(call: &Invocation, args: &[OsString]) -> bool {
    call.starts_with(&["plan"]) && args::tells_changes(args, &args::ambient(Command::Plan, &setup::env_text))
}

/// The Terraform to run.
pub(super) fn find_terraform(config: &Config) -> Result<PathBuf, Error> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| config.directory.clone());
    let product = config.stands_in_for.unwrap_or_default();
    find::terraform(config.terraform_bin.as_deref(), product, &setup::search(&cwd))
}
