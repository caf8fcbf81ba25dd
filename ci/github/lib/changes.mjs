// How many objects Terraform is to change or has changed, from what it prints.

const COLOUR = /\u001b\[[0-9;]*m/g;
const PLANNED = /^Plan: (?:\d+ to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy\b/;
const APPLIED = /^Apply complete! Resources: (?:\d+ imported, )?(\d+) added, (\d+) changed, (\d+) destroyed\b/;
const DESTROYED = /^Destroy complete! Resources: (\d+) destroyed\b/;
/** Longer lines hold no summary. */
const LONGEST = 4096;

/** Reads the output as it comes by. */
export class Changes {
  constructor() {
    this.planned = null;
    this.applied = null;
    this.rest = '';
  }

  /** @param {Uint8Array} bytes */
  take(bytes) {
    const lines = (this.rest + Buffer.from(bytes).toString('latin1')).split('\n');
    this.rest = lines.pop().slice(0, LONGEST);
    for (const line of lines) if (line.length < LONGEST) this.#line(line);
  }

  #line(raw) {
    if (raw.startsWith('{')) return this.#json(raw);
    const line = raw.replaceAll(COLOUR, '');
    const planned = PLANNED.exec(line);
    const applied = APPLIED.exec(line);
    const destroyed = DESTROYED.exec(line);
    const three = ([, add, change, destroy]) => ({ add: Number(add), change: Number(change), destroy: Number(destroy) });
    if (planned) this.planned = three(planned);
    if (applied) this.applied = three(applied);
    if (destroyed) this.applied = { add: 0, change: 0, destroy: Number(destroyed[1]) };
    return undefined;
  }

  /** With `-json`, as Terraform says it itself. */
  #json(line) {
    if (!line.includes('"change_summary"')) return;
    try {
      const event = JSON.parse(line);
      if (event.type !== 'change_summary' || !event.changes) return;
      const { add = 0, change = 0, remove = 0, operation } = event.changes;
      const counted = { add, change, destroy: remove };
      if (operation === 'plan') this.planned = counted;
      else this.applied = counted;
    } catch {
      // Not a line of Terraform's.
    }
  }

  /**
   * What this command has come to: for `plan` what is to be done, for the others what was done. Null when that is not
   * known, as after a failed apply.
   */
  of(command, succeeded) {
    const nothing = { add: 0, change: 0, destroy: 0 };
    // A plan with nothing but changed outputs has no such line.
    if (command === 'plan') return this.planned ?? (succeeded ? nothing : null);
    if (command === 'run') return this.applied ?? (succeeded ? nothing : null);
    return command === 'apply' || command === 'destroy' ? this.applied : null;
  }
}
