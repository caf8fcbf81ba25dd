// After the job: a run that was cancelled may still be stopping. Follows it, for as long as the job may take, and
// leaves the lock free of it. A run that ended while `main` looked on needs nothing.

import { handIn } from './lib/page.mjs';
import { Run } from './lib/run.mjs';
import { settle } from './lib/settle.mjs';
import { Verbatim, fail, getState, say } from './lib/workflow.mjs';

async function post() {
  const folder = getState('run');
  const run = folder && Run.resume(folder);
  if (!run || run.isSettled) return true;
  run.course.update();
  if (run.alive) {
    await say(`the run goes on stopping; following it for up to ${Math.round(run.stopBudget / 1000)} s`);
    // In a container the runner's signals do not reach `main`. tfguard counts them once.
    if (!run.course.interrupted) run.signal('SIGINT');
  }
  const verbatim = new Verbatim(run.commands);
  let clean;
  try {
    clean = await settle(run, verbatim);
  } finally {
    // What comes next is for the runner, whatever it is.
    await verbatim.close();
  }
  await run.annotate();
  await handIn(run);
  run.settled();
  return clean;
}

try {
  process.exit((await post()) ? 0 : 1);
} catch (error) {
  await fail(`this is a bug in the action: ${error.stack}`);
  process.exit(70);
}
