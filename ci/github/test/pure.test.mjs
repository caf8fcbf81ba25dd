// The parts of the action that only compute: `node --test ci/github/test/`.

import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { isSafe } from '../lib/download.mjs';
import { Course } from '../lib/events.mjs';
import { duration, read } from '../lib/inputs.mjs';
import { checksumOf, target } from '../lib/install.mjs';
import { words } from '../lib/words.mjs';

test('words are parted as a shell parts them, and nothing is expanded', () => {
  assert.deepEqual(words(' -var a=1\n\t-target=x '), ['-var', 'a=1', '-target=x']);
  assert.deepEqual(words(`-var 'a=b c' -var "d=\\"e\\" $HOME *"`), ['-var', 'a=b c', '-var', 'd="e" $HOME *']);
  assert.deepEqual(words(`a\\ b '' "" c\\\nd`), ['a b', '', '', 'cd']);
  assert.deepEqual(words(''), []);
  assert.throws(() => words(`it's`), /not closed/);
});

test('durations', () => {
  assert.equal(duration('90', 'x'), 90_000);
  assert.equal(duration('1h 30m', 'x'), 5_400_000);
  assert.equal(duration('250ms', 'x'), 250);
  for (const wrong of ['', 'soon', '4 m x', '-1s', '1.5m']) assert.throws(() => duration(wrong, 'x'), /is a time/);
});

const given = (inputs) => {
  const env = {};
  for (const [name, value] of Object.entries(inputs)) env[`INPUT_${name.toUpperCase()}`] = value;
  return read(env, '/work');
};

test('inputs become options before -- and arguments behind it', () => {
  const { argv, place, planFile } = given({
    command: 'plan',
    'working-directory': 'infra',
    lock: 'prod/a\n prod/b ',
    table: 'locks',
    shared: 'true',
    'wait-timeout': '0',
    args: '-lock=false -out p',
  });
  assert.deepEqual(place, ['--chdir=infra', '--table=locks']);
  assert.deepEqual(argv, [
    'plan', '--chdir=infra', '--table=locks', '--lock=prod/a', '--lock=prod/b', '--wait-timeout=0', '--shared',
    '--', '-lock=false', '-out', 'p',
  ]);
  assert.equal(planFile, '/work/infra/p');
});

test('a plan file is written by plan, and applied by apply', () => {
  assert.deepEqual(given({ command: 'plan', 'plan-file': 'p' }).argv, ['plan', '--', '-out=/work/p']);
  assert.equal(given({ command: 'plan', 'plan-file': 'p' }).planFile, '/work/p');
  assert.deepEqual(given({ command: 'apply', 'plan-file': 'p' }).argv, ['apply', '--', '/work/p']);
  assert.equal(given({ command: 'apply', 'plan-file': 'p' }).planFile, '');
  assert.throws(() => given({ command: 'destroy', 'plan-file': 'p' }), /plan-file/);
});

test('approval is said in the way of each command', () => {
  const approved = (command) => given({ command, 'auto-approve': 'true' }).argv;
  assert.deepEqual(approved('apply'), ['apply', '--', '-auto-approve']);
  assert.deepEqual(approved('run'), ['run', '--auto-approve']);
  assert.throws(() => approved('plan'), /auto-approve/);
});

test('exit code 2 means changes only where it was asked for', () => {
  assert.equal(given({ command: 'plan' }).changesCode, null);
  assert.equal(given({ command: 'plan', args: '-detailed-exitcode' }).changesCode, 2);
  assert.equal(given({ command: 'apply', args: '-detailed-exitcode' }).changesCode, null);
  assert.equal(given({ command: 'drift' }).changesCode, 2);
});

test('wrong inputs are named', () => {
  assert.throws(() => given({}), /command is missing/);
  assert.throws(() => given({ command: 'aply' }), /"aply".*plan, apply/);
  assert.throws(() => given({ command: 'plan', shared: 'maybe' }), /shared.*true or false/);
  assert.throws(() => given({ command: 'plan', args: '"' }), /args.*not closed/);
  assert.throws(() => given({ command: 'exec' }), /args/);
  assert.throws(() => given({ command: 'plan', sha256: 'abc' }), /sha256/);
});

const line = (event) => `${JSON.stringify({ '@module': 'tfguard', ...event })}\n`;

test('a run knows its own session and never takes the holder\'s for it', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tfguard-test-'));
  try {
    const file = path.join(folder, 'log');
    appendFileSync(file, line({ type: 'lock_acquired', lock: 'l', session: 'earlier', inherited: false }));
    const course = new Course(file, line({ type: 'lock_acquired', lock: 'l', session: 'earlier', inherited: false }).length);
    assert.deepEqual(course.update().open(), []);
    appendFileSync(file, line({ type: 'lock_waiting', lock: 'l', session: 'ours', holder: { session: 'theirs' }, holders: [] }));
    assert.deepEqual(course.update().open(), [['l', 'ours']]);
    // Half a line.
    const acquired = line({ type: 'lock_acquired', lock: 'l', session: 'ours', generation: 7, waited_ms: 2500, inherited: false });
    appendFileSync(file, acquired.slice(0, 20));
    course.update();
    appendFileSync(file, `${acquired.slice(20)}not json\n{"type":"lock_released","lock":"l"}\n`);
    assert.deepEqual(course.update().open(), [['l', 'ours']]);
    assert.equal(course.generation, 7);
    assert.equal(course.waited, 2500);
    appendFileSync(file, line({ type: 'lock_released', lock: 'l' }));
    assert.deepEqual(course.update().open(), []);
    assert.deepEqual(course.sessions(), ['ours']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a waiter that has left the queue is not open, one that was killed is', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tfguard-test-'));
  try {
    const file = path.join(folder, 'log');
    appendFileSync(file, line({ type: 'lock_waiting', lock: 'l', session: 'ours' }));
    const course = new Course(file, 0);
    assert.deepEqual(course.update().open(), [['l', 'ours']]);
    appendFileSync(file, line({ type: 'run_summary', outcome: 'cancelled', exit_code: 130 }));
    assert.deepEqual(course.update().open(), []);
    // Under an ancestor's lock nothing is ours.
    appendFileSync(file, line({ type: 'lock_acquired', lock: 'm', session: 'x', inherited: true }));
    assert.deepEqual(course.update().open(), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('checksums are those of that very file', () => {
  const a = 'a'.repeat(64);
  const b = 'B'.repeat(64);
  const sums = `${a}  tfguard-1-x.tar.gz.sig\n${b} *./tfguard-1-x.tar.gz\n`;
  assert.equal(checksumOf(sums, 'tfguard-1-x.tar.gz'), 'b'.repeat(64));
  assert.equal(checksumOf(sums, 'tfguard-1-y.tar.gz'), null);
});

test('only what nobody on the way can change needs no checksum of one\'s own', () => {
  assert.ok(isSafe('https://example.com/x'));
  assert.ok(isSafe('http://127.0.0.1:8080/x'));
  assert.ok(!isSafe('http://mirror.example.com/x'));
  assert.ok(!isSafe('ftp://example.com/x'));
});

test('platforms', () => {
  assert.equal(target('linux', 'x64'), 'x86_64-unknown-linux-musl');
  assert.equal(target('darwin', 'arm64'), 'aarch64-apple-darwin');
  assert.throws(() => target('win32', 'x64'), /not built for win32/);
});
