// One run of tfguard, as it is kept between `main` and `post`: a folder with its output, its log, and who it is.

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Course, readFrom } from './events.mjs';
import { isAlive, marked, signal, startOf } from './processes.mjs';
import { print } from './workflow.mjs';

/**
 * What a step of the user's own would not have: the action's inputs and state, and the tokens that the runner gives
 * to actions only. Terraform and its providers need none of it.
 */
const KEPT_BACK = /^(?:INPUT_|STATE_|GITHUB_STATE$|ACTIONS_RUNTIME_|ACTIONS_RESULTS_|ACTIONS_CACHE_)/;

/** In the environment of everything that a run starts, with the run's folder. */
export const MARK = 'TFGUARD_ACTION_RUN';
const CHUNK = 1 << 16;
const CHUNKS = 64;
/** What says where locks are. */
const PLACE = /^TFGUARD_(?:CHDIR|STORE|TABLE|BUCKET|REGION|ENDPOINT_URL|PROFILE|ROLE_ARN|LOCAL_DIR)$/;

export class Run {
  constructor(folder, facts) {
    Object.assign(this, facts);
    this.folder = folder;
    this.course = new Course(this.log, this.logFrom);
    this.printed = 0;
    /** How many of the marks in the file of commands have been minded, and whether a group is open. */
    this.marked = 0;
    this.grouped = false;
    /** The locks from which an entry was taken after everything of the run was dead. */
    this.tookOut = new Set();
  }

  /** Where the output goes. A file has no reader that could die. */
  static output(folder) {
    return path.join(folder, 'output');
  }

  /**
   * Where tfguard's commands go: annotations, and groups. What stands before those of groups is how much of the
   * output comes before them.
   */
  static commands(folder) {
    return path.join(folder, 'commands');
  }

  /** Where the run's page goes. The step's own is not looked at any more once the step has ended. */
  static page(folder) {
    return path.join(folder, 'page');
  }

  /** A folder for a run that is about to start. */
  static folder(env = process.env) {
    return mkdtempSync(path.join(env.RUNNER_TEMP || os.tmpdir(), 'tfguard-run-'));
  }

  /** Starts tfguard. Its end is told by `ended`, which is `{ code, signal }` or `{ error }`. */
  static start(folder, program, settings, env = process.env) {
    const log = settings.logFile || path.join(folder, 'events.ndjson');
    let logFrom = 0;
    try {
      logFrom = statSync(log).size;
    } catch {
      // There is none yet.
    }
    const childEnv = Object.fromEntries(Object.entries(env).filter(([name]) => !KEPT_BACK.test(name)));
    childEnv[MARK] = folder;
    // All that is printed is text; what is for the runner comes this way, and is printed afterwards.
    childEnv.TFGUARD_CI_COMMANDS = Run.commands(folder);
    childEnv.TFGUARD_CI_SUMMARY = Run.page(folder);
    const run = new Run(folder, {
      program,
      pid: null,
      start: null,
      log,
      logFrom,
      command: settings.command,
      directory: settings.directory,
      workspace: settings.workspace,
      place: settings.place,
      // `post` may have another environment.
      env: Object.fromEntries(Object.entries(env).filter(([name]) => PLACE.test(name))),
      commands: settings.commands,
      stopBudget: settings.stopBudget,
    });
    // Before there is anything to be cleaned up.
    run.#note();
    const descriptor = openSync(Run.output(folder), 'a', 0o600);
    const [command, ...rest] = settings.argv;
    // A session of its own: a Ctrl-C at the terminal of a runner that somebody started by hand is for the runner.
    const child = spawn(program, [command, `--log-file=${log}`, ...rest], {
      cwd: settings.workspace,
      detached: true,
      env: childEnv,
      stdio: ['ignore', descriptor, descriptor],
    });
    closeSync(descriptor);
    run.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ error }));
      child.once('exit', (code, name) => resolve({ code, signal: name }));
    });
    run.pid = child.pid ?? null;
    run.start = run.pid ? startOf(run.pid) : null;
    run.#note();
    return run;
  }

  /** The run that `main` has started; null when it came to none. */
  static resume(folder) {
    let run;
    try {
      run = new Run(folder, JSON.parse(readFileSync(path.join(folder, 'run.json'), 'utf8')));
    } catch (error) {
      if (error.code === 'ENOENT') return null;
      throw error;
    }
    try {
      [run.printed, run.marked] = readFileSync(path.join(folder, 'printed'), 'utf8').split(' ').map(Number);
    } catch {
      // Nothing was printed.
    }
    if (!run.pid) run.#find();
    return run;
  }

  /** `main` was killed before it could note the number: tfguard has said it itself. */
  #find() {
    const pid = this.course.update().started?.pid;
    const ours = marked(MARK, this.folder);
    if (!pid || (ours && !ours.includes(pid))) return;
    this.pid = pid;
    this.start = startOf(pid);
  }

  #note() {
    const { program, pid, start, log, logFrom, command, directory, workspace, place, env, commands, stopBudget } = this;
    const facts = { program, pid, start, log, logFrom, command, directory, workspace, place, env, commands, stopBudget };
    this.#keep('run.json', JSON.stringify(facts));
  }

  /** In a container `main` may live on beside `post`: each has a file of its own before there is a whole one. */
  #keep(name, text) {
    const file = path.join(this.folder, name);
    const own = `${file}.${process.pid}`;
    writeFileSync(own, text, { mode: 0o600 });
    renameSync(own, file);
  }

  /** What a file of the run's folder holds, for the one that asks first; '' for everybody else. */
  take(file) {
    const own = `${file}.${process.pid}`;
    try {
      renameSync(file, own);
    } catch {
      return '';
    }
    const text = readFileSync(own, 'utf8');
    rmSync(own);
    return text;
  }

  /** Prints the annotations, once. For when nothing is printed verbatim any more. */
  async annotate() {
    // Of a tfguard that was killed.
    if (this.grouped) await print('::endgroup::\n');
    this.grouped = false;
    // A program of the run's could write there too: no other command than these.
    const lines = this.take(Run.commands(this.folder)).split('\n').filter((line) => /^::(?:error|warning) /.test(line));
    if (lines.length > 0) await print(`${lines.join('\n')}\n`);
  }

  /** Says to `post` that there is nothing left to do. */
  settled() {
    this.#keep('settled', '');
  }

  get isSettled() {
    try {
      return statSync(path.join(this.folder, 'settled')).isFile();
    } catch {
      return false;
    }
  }

  get alive() {
    return isAlive(this.pid, this.start);
  }

  /**
   * Sends a signal to tfguard, and to nothing else. More than one do no harm: Terraform gets one interrupt from
   * tfguard, however many come.
   */
  signal(name) {
    return this.alive && signal(this.pid, name);
  }

  /** The groups of tfguard's: where in the output which command is due. They are written before what they fold. */
  #marks() {
    let text = '';
    try {
      text = readFileSync(Run.commands(this.folder), 'utf8');
    } catch {
      // There is none yet, or none any more.
    }
    return [...text.matchAll(/^@(\d+) (::group::.*|::endgroup::)\n/gm)].map(([, at, command]) => ({ at: Number(at), command }));
  }

  async #mind(verbatim, command) {
    await verbatim.close();
    const begins = command !== '::endgroup::';
    if (this.grouped) await print('::endgroup::\n');
    if (begins) await print(`${command}\n`);
    this.grouped = begins;
  }

  /** Prints these bytes, with the marks that lie before, among and directly behind them. */
  async #print(verbatim, bytes) {
    let from = this.printed;
    const to = from + bytes.length;
    for (const { at, command } of this.#marks().slice(this.marked)) {
      if (at > to) break;
      if (at > from) await verbatim.print(bytes.subarray(from - this.printed, at - this.printed));
      from = Math.max(from, at);
      await this.#mind(verbatim, command);
      this.marked += 1;
    }
    await verbatim.print(bytes.subarray(from - this.printed));
    this.printed = to;
    this.#keep('printed', `${this.printed} ${this.marked}`);
  }

  /**
   * Prints what has come since the last time, and takes in what was logged. Of output that comes faster than it is
   * printed, only a part, so that whoever calls has time for other things too.
   * @param {import('./workflow.mjs').Verbatim} verbatim
   */
  async follow(verbatim, all = false) {
    this.course.update();
    for (let chunks = 0; all || chunks < CHUNKS; chunks += 1) {
      const bytes = readFrom(Run.output(this.folder), this.printed, CHUNK);
      if (bytes.length === 0 && this.#marks().length <= this.marked) return;
      await this.#print(verbatim, bytes);
      if (bytes.length === 0) return;
    }
  }
}
