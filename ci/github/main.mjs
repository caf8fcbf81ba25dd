// The step: gets tfguard, starts it and copies what it says, until it ends or the runner wants us to.
//
// On a cancel the runner sends SIGINT, 7.5 s later SIGTERM, 2.5 s later it kills; all of that to this process only.
// The first signal is passed on, the second ends us: tfguard writes to a file and goes on without us, and `post`
// follows it to its end.

import { chmodSync, existsSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { read } from './lib/inputs.mjs';
import { install } from './lib/install.mjs';
import { handIn, refuse } from './lib/page.mjs';
import { Run } from './lib/run.mjs';
import { settle } from './lib/settle.mjs';
import { Refusal, Verbatim, addPath, fail, saveState, say, setOutput } from './lib/workflow.mjs';

const LOOK = 100;
const parent = process.ppid;
/** The signals that reached us, in order. */
const signals = [];
/** Ends what comes before the run. */
const before = new AbortController();
let passOn = () => before.abort();

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    signals.push(name);
    if (signals.length === 1) passOn(name);
  });
}

const codeOf = (name) => 128 + (constants.signals[name] ?? 0);

/** The runner ended without a word: whoever takes the job up again must find the lock free. */
function watchRunner() {
  if (process.ppid === parent) return;
  if (signals.length === 0) passOn('SIGHUP');
  // Nobody is left to follow the run for.
  signals.push('SIGHUP', 'SIGHUP');
}

/**
 * What the command has come to, from what Terraform has said: for `plan` what is to be done, for the others what was
 * done. Null when that is not known, as after a failed apply.
 */
function changesOf({ command, changesCode }, said, code) {
  const succeeded = code === 0 || code === changesCode;
  if (command !== 'plan' && !succeeded) return null;
  // A plan with nothing but changed outputs has no such line.
  const nothing = succeeded && ['plan', 'run'].includes(command) ? { add: 0, change: 0, destroy: 0 } : null;
  return said ?? nothing;
}

function tell(run, settings, code) {
  const { course } = run;
  const { planFile } = settings;
  if (planFile && existsSync(planFile)) {
    // It has in it whatever Terraform knows.
    chmodSync(planFile, 0o600);
    setOutput('plan-file', planFile);
  }
  const changes = changesOf(settings, course.summary?.changes, code);
  for (const kind of ['add', 'change', 'destroy']) setOutput(`changes-${kind}`, changes ? String(changes[kind]) : '');
  setOutput('exit-code', String(code));
  setOutput('outcome', course.summary?.outcome ?? (signals.length > 0 ? 'cancelled' : 'failed'));
  setOutput('generation', course.generation === null ? '' : String(course.generation));
  setOutput('waited-seconds', course.waited === null ? '' : String(Math.round(course.waited / 1000)));
  setOutput('log-file', run.log);
  setOutput('output-file', Run.output(run.folder));
}

async function main() {
  const settings = read();
  let program;
  try {
    program = await install(settings, process.env, before.signal);
  } catch (error) {
    if (signals.length === 0) throw error;
    await say('cancelled before anything was run');
    return codeOf(signals[0]);
  }
  if (settings.version !== 'path') addPath(path.dirname(program));
  if (settings.command === 'install') return 0;
  const folder = Run.folder();
  saveState('run', folder);
  if (signals.length > 0) return codeOf(signals[0]);

  const run = Run.start(folder, program, settings);
  passOn = (name) => run.signal(name);
  const verbatim = new Verbatim(settings.commands);
  const leave = () => signals.length > 1;
  let end = null;
  run.ended.then((how) => {
    end = how;
  });
  try {
    while (!end && !leave()) {
      await run.follow(verbatim);
      watchRunner();
      await Promise.race([run.ended, pause(LOOK)]);
    }
    if (end?.error) throw new Refusal(`tfguard cannot be started: ${end.error.message}`, 126);
    await run.follow(verbatim, Boolean(end));
    // Killed itself, or its lock not released: its guardian is at it, and we see it through.
    const over = end && (run.course.open().length === 0 || (await settle(run, verbatim, leave)));
    await verbatim.close();
    if (end) await run.annotate();
    if (over) {
      await handIn(run);
      run.settled();
    }
  } catch (error) {
    if (error.code !== 'EPIPE') {
      // The runner is to see what it was, and whatever comes after it.
      await verbatim.close().catch(() => {});
      throw error;
    }
    passOn('SIGHUP');
    return codeOf('SIGHUP');
  }
  if (!end) await say('the run goes on stopping; the rest of what it says is in the log of this action\'s post step');
  const code = end ? (end.code ?? codeOf(end.signal)) : codeOf(signals[0]);
  tell(run, settings, code);
  return code === settings.changesCode && !settings.failOnChanges ? 0 : code;
}

try {
  process.exit(await main());
} catch (error) {
  const message = error instanceof Refusal ? error.message : `this is a bug in the action: ${error.stack}`;
  await fail(message);
  await refuse(message);
  process.exit(error instanceof Refusal ? error.code : 70);
}
