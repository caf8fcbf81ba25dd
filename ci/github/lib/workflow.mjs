// How an action talks to the runner: files named by variables, and lines that begin with `::`.

import { randomUUID } from 'node:crypto';
import { appendFileSync, write } from 'node:fs';

const STDOUT = 1;
/** A reader that is busy is asked again after so many milliseconds. */
const BUSY = 20;

/** The error of a wrong input: it is said without a stack, and the step ends with this code. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} code
   */
  constructor(message, code = 64) {
    super(message);
    this.code = code;
  }
}

/** What `::` lines may hold in their text. */
function data(text) {
  return String(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/**
 * Writes to the step's log. Resolves when the runner has it; rejects with EPIPE when there is no runner any more.
 * @param {string | Uint8Array} chunk
 */
export async function print(chunk) {
  let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  while (rest.length > 0) {
    const written = await new Promise((resolve, reject) => {
      write(STDOUT, rest, 0, rest.length, null, (error, count) => {
        if (!error) resolve(count);
        else if (error.code === 'EAGAIN') setTimeout(resolve, BUSY, 0);
        else reject(error);
      });
    });
    rest = rest.subarray(written);
  }
}

/** Says something for people. Never fails: whoever would read it may be gone. */
export async function say(text) {
  // The runner finds commands of its older form anywhere in a line.
  const line = String(text).replaceAll('\n', ' ').replaceAll('##[', '# #[');
  await print(`tfguard: ${line}\n`).catch(() => {});
}

/** Marks the step with a warning. */
export async function warn(text) {
  await print(`::warning title=tfguard::${data(text)}\n`).catch(() => {});
}

/** Marks the step with an error. */
export async function fail(text) {
  await print(`::error title=tfguard::${data(text)}\n`).catch(() => {});
}

/** Adds `NAME=value` to one of the runner's files. The delimiter cannot be guessed by who chose the value. */
function record(variable, name, value) {
  const file = process.env[variable];
  if (!file) return false;
  const delimiter = `tfguard_${randomUUID()}`;
  appendFileSync(file, `${name}<<${delimiter}\n${value}\n${delimiter}\n`);
  return true;
}

/** Sets an output of the step. */
export function setOutput(name, value) {
  record('GITHUB_OUTPUT', name, value ?? '');
}

/**
 * Keeps something for `post`.
 * @throws {Refusal} when there is nowhere to keep it: a run that nobody could clean up is not started
 */
export function saveState(name, value) {
  if (!record('GITHUB_STATE', name, value)) {
    throw new Refusal('there is no GITHUB_STATE: this program is started by a GitHub Actions runner, as an action');
  }
}

/** What `main` has kept. */
export function getState(name) {
  return process.env[`STATE_${name}`] ?? '';
}

/** Puts a folder on PATH for the steps that follow. */
export function addPath(folder) {
  const file = process.env.GITHUB_PATH;
  if (file) appendFileSync(file, `${folder}\n`);
}

/**
 * A part of the log in which `::` lines are text: what Terraform, a provider or a record says commands nobody.
 * With `commands` it is left open, for those who want `::add-mask::` and the like from their own scripts.
 */
export class Verbatim {
  /** @param {boolean} commands */
  constructor(commands) {
    this.token = commands ? null : randomUUID();
    this.open = false;
    this.atLineStart = true;
  }

  /** @param {Uint8Array} bytes */
  async print(bytes) {
    if (bytes.length === 0) return;
    if (!this.open && this.token) await print(`::stop-commands::${this.token}\n`);
    this.open = true;
    this.atLineStart = bytes.at(-1) === 0x0a;
    await print(bytes);
  }

  /** Ends it. More may be printed after that: it begins again. */
  async close() {
    if (!this.open) return;
    this.open = false;
    if (!this.atLineStart) await print('\n');
    if (this.token) await print(`::${this.token}::\n`);
  }
}
