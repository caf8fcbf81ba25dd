// Sees a run to its end: waits while it stops gracefully, stops it hard when the time is over, and makes sure that
// none of its entries is left in the lock. What is not this run's is never touched: entries are named by the session
// that the run itself has logged, and only when all of its processes are dead.

import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { marked, signal } from './processes.mjs';
import { MARK } from './run.mjs';
import { say, warn } from './workflow.mjs';

const LOOK = 100;
/** How long tfguard has to clean up after the command was killed, and the guardian after tfguard was. */
const GRACE = 15_000;
/** How long a guardian that has released may take to end. */
const LAST_WORDS = 2_000;
/** Between two questions to the store. */
const ASK = 1_000;
const ASK_TIMEOUT = 30_000;

const now = () => performance.now();

/** Runs an operator's command for a lock of the run. */
function operate(run, command, lock, more) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:TFGUARD_|INPUT_|STATE_)/.test(name)));
  const args = [command, ...run.place, `--lock=${lock}`, ...more];
  return new Promise((resolve) => {
    const options = { cwd: run.workspace, env: { ...env, ...run.env, TFGUARD_CI: 'none' }, timeout: ASK_TIMEOUT };
    execFile(run.program, args, options, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr: stderr.trim() });
    });
  });
}

/** Whether a session stands in the lock's record: true, false, or why that cannot be said. */
async function stands(run, lock, session) {
  const { code, stdout, stderr } = await operate(run, 'status', lock, ['--json']);
  try {
    const { holders, queue } = JSON.parse(stdout);
    return [...holders, ...queue].some((entry) => entry.session === session);
  } catch {
    return stderr || `tfguard status exits with ${code}`;
  }
}

/** Whether anything of the command is alive, tfguard itself apart. */
function isAtWork(run, session) {
  const processes = marked('TFGUARD_SESSION', session);
  if (processes) return processes.length > 0;
  return run.course.child !== null && signal(-run.course.child, 0);
}

function killWork(run, session) {
  const processes = marked('TFGUARD_SESSION', session);
  if (processes) processes.forEach((pid) => signal(pid, 'SIGKILL'));
  else if (run.course.child !== null) signal(-run.course.child, 'SIGKILL');
}

/** Whether a guardian may be there still. */
function isGuarded(run) {
  return marked(MARK, run.folder)?.length !== 0;
}

async function until(done, limit, run, verbatim, leave) {
  while (!done() && now() < limit && !leave()) {
    await run.follow(verbatim);
    await pause(LOOK);
  }
  await run.follow(verbatim, !leave());
}

/** The supervisor is dead: one entry of the run's, from its guardian's work to an empty place. */
async function clear(run, verbatim, lock, session, deadline, leave) {
  let limit = Math.max(deadline, now());
  let trouble = null;
  const isOpen = () => run.course.open().some(([name]) => name === lock);
  for (;;) {
    await run.follow(verbatim);
    if (!isOpen() || leave()) return true;
    const standing = await stands(run, lock, session);
    if (standing === false) return true;
    trouble = standing === true ? null : standing;
    if (!isAtWork(run, session)) {
      // A guardian with nothing left to stop is about to release. Who waited has none.
      limit = Math.min(limit, now() + (isGuarded(run) || trouble ? GRACE : 0));
    }
    if (now() >= limit) {
      if (!isAtWork(run, session)) break;
      await warn(`what runs under lock ${lock} did not stop in time and is killed; its state may have to be looked at`);
      killWork(run, session);
      limit = now() + GRACE;
    }
    await pause(ASK);
  }
  if (trouble) {
    await warn(`lock ${lock}: whether it is free cannot be found out (${trouble}); if it is not, others take over when its lease has ended`);
    return false;
  }
  const reason = 'the job was cancelled and all of its processes are dead';
  const options = [`--session=${session}`, '--now', '--yes', `--reason=${reason}`];
  const { code, stderr } = await operate(run, 'unlock', lock, options);
  // 64: it is not there any more.
  if (code === 0) run.tookOut.add(lock);
  if (code === 0) await say(`lock ${lock}: took out what the killed run had left, session ${session}`);
  else if (code !== 64) await warn(`lock ${lock}: session ${session} could not be taken out: ${stderr}; others take over when its lease has ended`);
  return code === 0 || code === 64;
}

/**
 * @param {import('./run.mjs').Run} run
 * @param {import('./workflow.mjs').Verbatim} verbatim may be open at the end
 * @param {() => boolean} leave whether to leave the rest to `post`
 * @returns {Promise<boolean>} whether the lock is known to be rid of this run
 */
export async function settle(run, verbatim, leave = () => false) {
  const deadline = now() + run.stopBudget;
  await until(() => !run.alive, deadline, run, verbatim, leave);
  if (leave()) return false;
  if (run.alive) {
    await verbatim.close();
    await warn('the command did not stop in time and is killed; tfguard frees what it had locked');
    // Its own process group. tfguard sees its end, clears up after it and releases.
    if (run.course.child !== null) signal(-run.course.child, 'SIGKILL');
    await until(() => !run.alive, now() + GRACE, run, verbatim, leave);
    run.signal('SIGKILL');
    await until(() => !run.alive, now() + GRACE, run, verbatim, leave);
  }
  let clean = true;
  const open = run.course.open();
  for (const [lock, session] of open) {
    clean = (await clear(run, verbatim, lock, session, deadline, leave)) && clean;
  }
  // A guardian has released before it has said so.
  if (open.length > 0) await until(() => (marked(MARK, run.folder) ?? []).length === 0, now() + LAST_WORDS, run, verbatim, leave);
  await run.follow(verbatim, true);
  return clean && !leave();
}
