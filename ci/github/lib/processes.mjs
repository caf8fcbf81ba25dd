// Processes: children that are run to their end, and others, whether they are alive and still the same.

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

const LINUX = process.platform === 'linux';

/**
 * Runs a program to its end, and is done with it when `stop` says so.
 * @returns {Promise<{ error?: Error, status?: number | null, stderr: string }>}
 */
export function run(program, args, { stop, shown = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', shown ? 'inherit' : 'ignore', shown ? 'inherit' : 'pipe'];
    const child = spawn(program, args, { stdio, signal: stop, ...options });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.once('error', (error) => (stop?.aborted ? reject(stop.reason) : resolve({ error, stderr })));
    child.once('close', (status) => (stop?.aborted ? reject(stop.reason) : resolve({ status, stderr })));
  });
}

/** The fields of `/proc/PID/stat` from the state on, which is field 3. */
function stat(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name before it may hold blanks and brackets.
  return text.slice(text.lastIndexOf(') ') + 2).split(' ');
}

/**
 * When a process was started, in a form that tells it from another one with its number; null when it is not there
 * or only waits to be reaped.
 */
export function startOf(pid) {
  try {
    if (LINUX) {
      const fields = stat(pid);
      return 'ZX'.includes(fields[0]) ? null : fields[19];
    }
    const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const [state, ...start] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], options).trim().split(/\s+/);
    return !state || state.startsWith('Z') ? null : start.join(' ');
  } catch {
    return null;
  }
}

/** Whether this very process is alive. */
export function isAlive(pid, start) {
  return Boolean(start) && startOf(pid) === start;
}

/** Sends a signal. Whoever has ended needs none. */
export function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** The processes with this in their environment. Only Linux shows them; elsewhere it is `null`. */
export function marked(name, value) {
  if (!LINUX) return null;
  const mark = `\0${name}=${value}\0`;
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}\0`;
      return environment.includes(mark) && startOf(pid) !== null;
    } catch {
      return false;
    }
  });
}
