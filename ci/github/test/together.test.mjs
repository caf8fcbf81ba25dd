// In a container the end of a job does not reach `main`: it goes on following the run while `post` does.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const LIB = fileURLToPath(new URL('../lib', import.meta.url));
/** So many lines are printed while both are at it. */
const LINES = 400;

/** Follows the run in `folder` to the end that is told on stdin, then asks for its page. */
const FOLLOWER = `
import { Run } from '${LIB}/run.mjs';
import { Verbatim } from '${LIB}/workflow.mjs';
let total = Infinity;
process.stdin.once('data', (text) => { total = Number(text); process.stdin.destroy(); });
const run = Run.resume(process.argv[1]);
const text = new Verbatim(true);
while (run.printed < total) {
  await run.follow(text);
  await new Promise(setImmediate);
}
process.stderr.write(run.take(Run.page(run.folder)));
`;

function follow(folder) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', FOLLOWER, folder]);
  const follower = { child, out: '', err: '' };
  child.stdout.on('data', (bytes) => (follower.out += bytes));
  child.stderr.on('data', (bytes) => (follower.err += bytes));
  follower.ended = new Promise((resolve) => child.on('close', resolve));
  return follower;
}

test('two follow one run: each prints all of it, and one of them has the page', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tfguard-test-'));
  const file = (name) => path.join(folder, name);
  let both = [];
  try {
    writeFileSync(file('run.json'), JSON.stringify({ pid: process.pid, log: file('log'), logFrom: 0 }));
    writeFileSync(file('page'), 'page');
    both = [follow(folder), follow(folder)];
    let printed = '';
    const running = () => both.every(({ child }) => child.exitCode === null);
    for (let left = LINES; left > 0 && running(); await pause(1)) {
      const line = `line ${left}\n`;
      appendFileSync(file('output'), line);
      printed += line;
      if (both.every(({ out }) => out)) left -= 1;
    }
    both.forEach(({ child }) => child.stdin.end(String(printed.length)));
    for (const { ended, out, err } of both) {
      assert.equal(await ended, 0, err);
      assert.ok(out, err);
    }
    // Whoever came second began where the first was.
    assert.ok(both.some(({ out }) => out === printed) && both.every(({ out }) => printed.endsWith(out)));
    assert.equal(both.map(({ err }) => err).join(''), 'page');
    assert.deepEqual(readdirSync(folder).sort(), ['output', 'printed', 'run.json'], 'nothing is left over');
  } finally {
    both.forEach(({ child }) => child.kill('SIGKILL'));
    rmSync(folder, { recursive: true });
  }
});
