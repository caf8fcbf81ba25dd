// What a run has said about itself: its NDJSON log, read as it grows.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Warnings and errors that are remembered. */
const SAID = 50;

/** What there is of a file from `position` on. Nothing where there is no file. */
export function readFrom(file, position, limit = 1 << 20) {
  let descriptor;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
  try {
    const length = Math.max(0, Math.min(limit, fstatSync(descriptor).size - position));
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(descriptor, buffer, 0, length, position));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The course of one run. `locks` holds, by the name of each lock that it wants, the run's own `session`, the
 * `generation` under which it ran, and whether the lock was `acquired` and `released`; `said` are its warnings and errors.
 */
export class Course {
  /**
   * @param {string} file the log
   * @param {number} from where this run's lines begin: the file may be older than the run
   */
  constructor(file, from) {
    this.file = file;
    this.position = from;
    this.rest = Buffer.alloc(0);
    this.locks = new Map();
    this.said = [];
    this.started = null;
    this.child = null;
    this.summary = null;
    this.generation = null;
    this.waited = null;
    this.interrupted = false;
  }

  /** Takes in what was logged since the last call. */
  update() {
    for (;;) {
      const bytes = readFrom(this.file, this.position);
      if (bytes.length === 0) return this;
      this.position += bytes.length;
      const all = Buffer.concat([this.rest, bytes]);
      const end = all.lastIndexOf(0x0a) + 1;
      this.rest = all.subarray(end);
      for (const line of all.toString('utf8', 0, end).split('\n')) this.#line(line);
    }
  }

  #line(line) {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      return; // A line that was cut by a full disk is no reason to stop here.
    }
    // Only what tfguard says of itself counts, not what somebody else wrote to the same file.
    if (event?.['@module'] !== 'tfguard') return;
    if (['warn', 'error'].includes(event['@level']) && this.said.length < SAID) this.said.push(String(event['@message']));
    switch (event.type) {
      case 'run_started':
        // Nothing was written to a store before this.
        this.started = event;
        for (const lock of event.locks ?? []) this.#lock({ lock }).session = event.session;
        break;
      case 'lock_waiting':
        this.#lock(event).session = event.session;
        break;
      case 'lock_acquired':
        this.generation ??= event.generation;
        this.waited = Math.max(this.waited ?? 0, event.waited_ms ?? 0);
        // Under an ancestor's lock there is nothing of ours to release.
        if (event.inherited) this.#lock(event).session = null;
        else Object.assign(this.#lock(event), { session: event.session, generation: event.generation, acquired: true });
        break;
      case 'lock_released':
        this.#lock(event).released = true;
        break;
      case 'child_started':
        this.child = event.pid;
        break;
      case 'child_exited':
        this.child = null;
        break;
      case 'signal':
        this.interrupted = true;
        break;
      case 'run_summary':
        this.summary = event;
        this.waited = Math.max(this.waited ?? 0, event.waited_ms ?? 0);
        break;
      default:
    }
  }

  #lock({ lock }) {
    if (!this.locks.has(lock)) this.locks.set(lock, { session: null, generation: null, acquired: false, released: false });
    return this.locks.get(lock);
  }

  /** Entries of ours that may still be in a record: `[lock, session]`. */
  open() {
    const mine = [...this.locks].filter(([, { session, released }]) => session && !released);
    // Who left the queue in good order has said so with its summary.
    return mine.filter(([, { acquired }]) => acquired || !this.summary).map(([lock, { session }]) => [lock, session]);
  }

  /** The sessions of this run. */
  sessions() {
    return [...new Set([...this.locks.values()].map(({ session }) => session).filter(Boolean))];
  }
}
