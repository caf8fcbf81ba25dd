// The run's page in the step's summary. tfguard writes it at its end, into the run's folder; whichever of the two steps
// sees that end hands it in. Of a tfguard that was killed there is none: then this says what became of the run.

import { appendFileSync, statSync } from 'node:fs';
import { Run } from './run.mjs';
import { fail, say } from './workflow.mjs';

/** Bytes that GitHub takes of one step, with room to spare. */
const STEP = 1000 * 1024;
const ESCAPED = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
/** What could hide or turn what stands beside it. */
const UNSAFE = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/** As XML writes it, and so as the runner knows the secrets again that it masks. */
function text(value) {
  return String(value).replace(UNSAFE, ' ').replace(/[&<>"']/g, (c) => ESCAPED[c]);
}

const code = (value) => `<code>${text(value)}</code>`;

/** What became of one lock. */
function fate(run, lock, { acquired, released }) {
  if (run.tookOut.has(lock)) return 'taken out by this job when nothing of the run was alive any more';
  if (released) return 'released';
  return acquired ? 'perhaps still held; others take over when its lease has ended' : 'not held';
}

/** Who ended the run. */
function end({ course, tookOut }) {
  if (course.said.some((message) => message.includes('its guardian is '))) return 'its guardian, see below';
  if (tookOut.size > 0) return 'this job, when nothing of the run was alive any more, its guardian neither';
  return 'its own death';
}

/** The page of a run that was killed. */
export function obituary(run) {
  const place = run.directory === '.' ? '' : ` in ${code(run.directory)}`;
  const rows = [`<tr><th align="left">Ended by</th><td>${end(run)}</td></tr>`];
  for (const [lock, state] of run.course.locks) {
    const generation = state.generation === null ? '' : `, generation ${Number(state.generation)}`;
    rows.push(`<tr><th align="left">Lock</th><td>${code(lock)}${generation}: ${fate(run, lock, state)}</td></tr>`);
  }
  const said = run.course.said.map((message) => `<li>${text(message)}</li>`);
  const list = said.length > 0 ? `<h4>⚠️ What was said</h4>\n\n<ul>\n${said.join('\n')}\n</ul>\n\n` : '';
  return (
    `<h3>💀 tfguard ${text(run.command)}${place}: tfguard itself was killed</h3>\n\n<table>\n${rows.join('\n')}\n</table>\n\n` +
    `What Terraform had begun may be half done: read its log, and the next plan with care.\n\n${list}`
  );
}

/** Hands the page in, once. */
export async function handIn(run, env = process.env) {
  // Without one it had no time for it, or no room.
  let page = run.take(Run.page(run.folder));
  const died = run.course.started && !run.course.summary;
  if (died) await fail('tfguard itself was killed; the page of the run says who ended it, and what became of its locks');
  if (!page && died && env.TFGUARD_CI !== 'none') page = obituary(run);
  if (page) await add(page, env);
}

/** The page of a step that came to no run. */
export async function refuse(message, env = process.env) {
  if (env.TFGUARD_CI === 'none') return;
  const errors = `<h4>❌ Errors</h4>\n\n<ul><li>${text(message)}</li></ul>\n\n`;
  await add(`<h3>⛔ tfguard: nothing was run</h3>\n\n${errors}`, env);
}

async function add(page, env) {
  const file = env.GITHUB_STEP_SUMMARY;
  if (!file) return;
  try {
    const taken = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (taken + Buffer.byteLength(page) <= STEP) appendFileSync(file, page);
    else await say('the step summary has no room for the page of this run');
  } catch (error) {
    await say(`the step summary cannot be written: ${error.message}`);
  }
}
