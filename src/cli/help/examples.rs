//! Examples and exit codes of each command. Every example is a command line that a test reads, and
//! as many as can do without AWS are run.

/// A command line and what it is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Example {
    /// What it is for.
    pub(in crate::cli) what: &'static str,
    /// The line, as it is typed.
    pub(in crate::cli) line: &'static str,
}

/// An exit code and what it means, in lines that fit beside it.
pub(in crate::cli) type Code = (&'static str, &'static str);

/// What is told of a command besides its arguments.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct About {
    command: &'static str,
    /// Two to four.
    pub(in crate::cli) examples: &'static [Example],
    /// What its exit codes mean. Of a command that runs something they are those of tfguard itself,
    /// and here are those that need a word of their own.
    pub(in crate::cli) codes: &'static [Code],
}

const fn example(what: &'static str, line: &'static str) -> Example {
    Example { what, line }
}

const ABOUT: &[About] = &[
    About {
        command: "",
        examples: &[
            example("Init, plan and apply of that very plan, under one lock", "tfguard run --auto-approve"),
            example(
                "One command of Terraform's; what follows -- is its own",
                "tfguard apply -- -auto-approve",
            ),
            example(
                "A lock by name in a table, the same wherever the same thing is worked on",
                "tfguard --lock prod --table terraform-lock apply -- -auto-approve",
            ),
            example("Who holds the lock, who waits", "tfguard status"),
        ],
        codes: &[
            ("the command's own", "it ran to its end, also after a graceful stop or a deadline"),
            ("128 + n", "signal n ended it"),
            ("64", "wrong usage"),
            ("66", "no configuration, no such directory"),
            ("69", "the lock store cannot be reached, tried for 60 s"),
            ("70", "a bug in tfguard"),
            (
                "75",
                "lock not got: held with --no-wait, waited too long, queue full, taken\n\
                 out of it, deadline; or refused: a plan that was overtaken,\n\
                 --require-clean. Nothing was run",
            ),
            ("76", "lock lost, revoked or at risk, and the command did not succeed"),
            ("77", "no credentials, expired ones, or they may not do that"),
            ("78", "table, bucket, record or tfguard's configuration are wrong"),
            ("126, 127", "the command cannot be run; cannot be found"),
            ("129, 130, 131, 143", "cancelled by SIGHUP, SIGINT, SIGQUIT or\nSIGTERM before the command ran"),
        ],
    },
    About {
        command: "init",
        examples: &[
            example("Set the directory up, with newer providers", "tfguard init -- -upgrade"),
            example("Move the state to a new backend, under both locks", "tfguard init -- -migrate-state"),
        ],
        codes: &[],
    },
    About {
        command: "plan",
        examples: &[
            example("A plan that is kept, for apply", "tfguard plan -- -out=plan.tfplan"),
            example(
                "Beside other plans, excluded by changes only",
                "tfguard plan --shared -- -lock-timeout=1m",
            ),
            example("Do not wait for a run that is changing things", "tfguard plan --no-wait"),
        ],
        codes: &[("Terraform's", "with -- -detailed-exitcode: 0 no changes, 1 error, 2 changes")],
    },
    About {
        command: "apply",
        examples: &[
            example("Without a question", "tfguard apply -- -auto-approve"),
            example("A plan that was saved, if nobody changed things since", "tfguard apply -- plan.tfplan"),
            example(
                "Wait for 20 minutes at most, then exit with 75",
                "tfguard apply --wait-timeout 20m -- -auto-approve",
            ),
            example(
                "Stop gracefully before the job's own time is up",
                "tfguard apply --deadline 50m -- -auto-approve",
            ),
        ],
        codes: &[("75", "also: the saved plan may have been overtaken")],
    },
    About {
        command: "destroy",
        examples: &[
            example("Without a question", "tfguard destroy -- -auto-approve"),
            example("One resource", "tfguard destroy -- -auto-approve -target=terraform_data.hello"),
        ],
        codes: &[],
    },
    About {
        command: "run",
        examples: &[
            example("In a pipeline: nobody is there to ask", "tfguard run --auto-approve"),
            example("At a terminal: shows the plan, asks, applies it", "tfguard run"),
            example("With variables for the plan", "tfguard run --auto-approve -- -var-file=prod.tfvars"),
            example(
                "A plan that destroys, and that is kept",
                "tfguard run --auto-approve -- -destroy -out=plan.tfplan",
            ),
        ],
        codes: &[
            ("0", "all went well, or there was nothing to do"),
            ("1", "the plan was declined"),
            ("2", "with -- -detailed-exitcode: changes were applied"),
            ("that of the phase", "that failed, otherwise"),
        ],
    },
    About {
        command: "drift",
        examples: &[
            example("Has anything changed?", "tfguard drift"),
            example(
                "One document, for a part of the configuration",
                "tfguard drift --json -- -target=module.network",
            ),
        ],
        codes: &[("0", "nothing has changed"), ("2", "something has"), ("Terraform's", "otherwise")],
    },
    About {
        command: "exec",
        examples: &[
            example(
                "A command of Terraform's that changes the state",
                "tfguard exec -- terraform import aws_instance.web i-0abc",
            ),
            example("Whatever a script does, under one lock", "tfguard exec --lock prod -- make deploy"),
            example("Terragrunt, over many states", "tfguard exec --lock prod -- terragrunt run-all apply"),
            example("A check that only reads, beside others", "tfguard exec --shared -- terraform validate"),
        ],
        codes: &[],
    },
    About {
        command: "status",
        examples: &[
            example("The lock of this directory", "tfguard status"),
            example("In a script: is it free?", "tfguard status --check"),
            example("All locks of the table", "tfguard status --all --table terraform-lock"),
            example("A live view of all of them", "tfguard status --all --watch"),
        ],
        codes: &[("0", "held or free"), ("75", "with --check: held"), ("78", "the record cannot be read")],
    },
    About {
        command: "history",
        examples: &[
            example("The last five", "tfguard history -n 5"),
            example("The last week's, for programs", "tfguard history --since 7d --json"),
            example("A page for a browser", "tfguard history --since 2026-11-01 --html history.html"),
        ],
        codes: &[],
    },
    About {
        command: "state",
        examples: &[
            example("What there is", "tfguard state versions"),
            example("Back to the one before", "tfguard state restore previous --reason 'apply went wrong'"),
        ],
        codes: &[],
    },
    About {
        command: "state versions",
        examples: &[
            example("The newest twenty", "tfguard state versions"),
            example("Five, for programs", "tfguard state versions -n 5 --json"),
        ],
        codes: &[("78", "the state is in no S3 bucket, or its bucket keeps no versions")],
    },
    About {
        command: "state restore",
        examples: &[
            example(
                "The one before the present one",
                "tfguard state restore previous --reason 'apply went wrong'",
            ),
            example("By its serial, without a question", "tfguard state restore serial:41 --yes"),
            example(
                "By its ID, as state versions shows it",
                "tfguard state restore 3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
            ),
        ],
        codes: &[("75", "refused: another lineage, written anew meanwhile, or the answer was no")],
    },
    About {
        command: "unlock",
        examples: &[
            example("Ask the holder to stop", "tfguard unlock --reason 'wrong branch'"),
            example(
                "Take a waiter out of the queue",
                "tfguard unlock --session 01a1fc70-d4a6 --reason 'stuck' --yes",
            ),
            example(
                "Take out a holder that is known to be dead",
                "tfguard unlock --now --reason 'the runner was deleted'",
            ),
            example(
                "Free the lock that a dead Terraform left on the state",
                "tfguard unlock --state-lock --reason 'the runner was killed'",
            ),
        ],
        codes: &[
            ("64", "no --reason, or no terminal and no --yes"),
            ("75", "--state-lock: a run holds the lock"),
        ],
    },
    About {
        command: "setup",
        examples: &[
            example("A lock table", "tfguard setup --table terraform-lock > backend.tf"),
            example(
                "A table and a bucket for states",
                "tfguard setup --table terraform-lock --bucket my-states --region eu-west-1 > backend.tf",
            ),
            example(
                "No table: the lock is kept in the bucket",
                "tfguard setup --store s3 --bucket my-states > backend.tf",
            ),
            example(
                "As code, to make it yourself",
                "tfguard setup --print terraform --bucket my-states > lock.tf",
            ),
        ],
        codes: &[("0", "all is there, also with warnings"), ("78", "no lock can live in what is there")],
    },
    About {
        command: "policy",
        examples: &[
            example("For runs in this directory", "tfguard policy"),
            example(
                "For runs and doctor, in one account",
                "tfguard policy --for run,doctor --account 123456789012",
            ),
            example(
                "For all states below a prefix",
                "tfguard policy --table terraform-lock --bucket my-states --key-prefix network/",
            ),
        ],
        codes: &[],
    },
    About {
        command: "doctor",
        examples: &[
            example("What is wrong, and what mends it", "tfguard doctor"),
            example(
                "All that was looked at, for another lock",
                "tfguard doctor -v --lock prod --table terraform-lock",
            ),
            example("For programs", "tfguard doctor --json"),
        ],
        codes: &[("0", "a run would work, whatever warnings there are"), ("78", "a run would fail")],
    },
    About {
        command: "help",
        examples: &[
            example("Of one command", "tfguard help apply"),
            example("Of a command below another", "tfguard help state restore"),
        ],
        codes: &[],
    },
    About {
        command: "man",
        examples: &[
            example("Read it", "tfguard man | man -l -"),
            example("Keep the page of one command", "tfguard man apply > tfguard-apply.1"),
        ],
        codes: &[],
    },
    About {
        command: "completions",
        examples: &[
            example("bash", "tfguard completions bash > ~/.local/share/bash-completion/completions/tfguard"),
            example("zsh, in a folder of its fpath", "tfguard completions zsh > ~/.zfunc/_tfguard"),
            example("fish", "tfguard completions fish > ~/.config/fish/completions/tfguard.fish"),
        ],
        codes: &[],
    },
];

/// What is told of `command`: its path without `tfguard`, such as `state restore`.
pub(in crate::cli) fn of(command: &str) -> Option<&'static About> {
    ABOUT.iter().find(|about| about.command == command)
}

/// Of all commands, with their paths.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static About)> {
    ABOUT.iter().map(|about| (about.command, about))
}
