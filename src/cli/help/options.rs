//! What there is to know of an option besides its words: where else its value is looked for, what
//! it is when nothing is said, which values there are, what a shell completes.

use clap::ValueHint;

/// A value and what it means.
pub(in crate::cli) type Value = (&'static str, &'static str);

/// The facts of one option.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Fact {
    /// Its field in the raw arguments.
    pub(in crate::cli) id: &'static str,
    /// The variable that stands for it.
    pub(in crate::cli) variable: Option<&'static str>,
    /// What counts when nothing is said, where that is a value that could be given.
    pub(in crate::cli) default: Option<&'static str>,
    /// Its values, where they are a few words. What it takes is checked where it is used.
    pub(in crate::cli) values: &'static [Value],
    /// What a shell completes, where it is not one of the values.
    pub(in crate::cli) hint: ValueHint,
}

const fn option(id: &'static str) -> Fact {
    Fact { id, variable: None, default: None, values: &[], hint: ValueHint::Other }
}

impl Fact {
    const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn values(self, values: &'static [Value]) -> Self {
        Self { values, ..self }
    }

    const fn hint(self, hint: ValueHint) -> Self {
        Self { hint, ..self }
    }
}

const FACTS: &[Fact] = &[
    option("chdir").variable("TFGUARD_CHDIR").default(".").hint(ValueHint::DirPath),
    option("lock").variable("TFGUARD_LOCK"),
    option("shared").variable("TFGUARD_SHARED"),
    option("reason").variable("TFGUARD_REASON"),
    option("lease").variable("TFGUARD_LEASE").default("3m"),
    option("wait_timeout").variable("TFGUARD_WAIT_TIMEOUT"),
    option("store").variable("TFGUARD_STORE").default("auto").values(&[
        ("auto", "as the backend says: the table or bucket of s3, the folder of local state"),
        ("dynamodb", "an item of a DynamoDB table (--table)"),
        ("s3", "an object in an S3 bucket (--bucket), by default the state's own"),
        ("local", "a file on this machine (--local-dir)"),
    ]),
    option("table").variable("TFGUARD_TABLE"),
    option("bucket").variable("TFGUARD_BUCKET"),
    option("region").variable("TFGUARD_REGION"),
    option("endpoint_url").variable("TFGUARD_ENDPOINT_URL").hint(ValueHint::Url),
    option("profile").variable("TFGUARD_PROFILE"),
    option("role_arn").variable("TFGUARD_ROLE_ARN"),
    option("local_dir").variable("TFGUARD_LOCAL_DIR").hint(ValueHint::DirPath),
    option("stop_timeout").variable("TFGUARD_STOP_TIMEOUT"),
    option("on_lease_lost").variable("TFGUARD_ON_LEASE_LOST").default("stop").values(&[
        ("stop", "interrupt the command at half the lease, kill it at 0.9 of it"),
        ("continue", "let it go on, beside whoever takes the lock next"),
    ]),
    option("deadline").variable("TFGUARD_DEADLINE"),
    option("min_session").variable("TFGUARD_MIN_SESSION"),
    option("stop_before_expiry").variable("TFGUARD_STOP_BEFORE_EXPIRY"),
    option("terraform_bin").variable("TFGUARD_TERRAFORM_BIN").hint(ValueHint::ExecutablePath),
    option("init").default("auto").values(&[
        ("auto", "where the directory is not initialised and the configuration needs it"),
        ("always", "before every command"),
        ("never", "leave it to the caller"),
    ]),
    option("free_state_lock").variable("TFGUARD_FREE_STATE_LOCK").default("own").values(&[
        ("own", "free the one that our own Terraform left"),
        ("takeover", "also the one of a dead run before ours"),
        ("never", "free none, only tell"),
    ]),
    option("rescue_dir").variable("TFGUARD_RESCUE_DIR").hint(ValueHint::DirPath),
    option("require_clean").variable("TFGUARD_REQUIRE_CLEAN"),
    option("log_format").variable("TFGUARD_LOG_FORMAT").default("text").values(&[
        ("text", "lines on stderr; the command's output stays as it is"),
        ("json", "NDJSON on stdout, the command's output in it"),
    ]),
    option("log_file").variable("TFGUARD_LOG_FILE").hint(ValueHint::FilePath),
    option("ci").variable("TFGUARD_CI").default("auto").values(&[
        ("auto", "the system whose variables are set"),
        ("github", "sections, annotations, a step summary"),
        ("gitlab", "sections"),
        ("none", "to none"),
    ]),
    option("ci_report").variable("TFGUARD_CI_REPORT").hint(ValueHint::FilePath),
    option("hook").variable("TFGUARD_HOOK_<EVENT>").hint(ValueHint::CommandString),
    option("hook_timeout").variable("TFGUARD_HOOK_TIMEOUT").default("10s"),
    option("color").variable("NO_COLOR").default("auto").values(&[
        ("auto", "on a terminal"),
        ("always", "into files and pipes too"),
        ("never", "nowhere"),
    ]),
    option("print")
        .values(&[("terraform", "Terraform's language"), ("cloudformation", "a CloudFormation template")]),
    option("roles").default("run").values(&[
        ("run", "a pipeline, Terraform's own requests included"),
        ("operator", "status, history, unlock"),
        ("state", "state versions, state restore, and all that a run needs"),
        ("doctor", "what doctor looks at; with run it tries what a run needs"),
        ("setup", "what setup looks at and makes"),
    ]),
    option("version").values(&[("previous", "the newest one before the present one")]),
];

/// The facts of the option with this id; of another nothing is known.
pub(in crate::cli) fn of(id: &str) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.id == id)
}

/// All of them.
#[cfg(test)]
pub(super) fn all() -> &'static [Fact] {
    FACTS
}
