// Fetches a file over HTTP, with tries, a bound on size and time, and through the proxy that the machine prescribes.

import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from './processes.mjs';
import { Refusal } from './workflow.mjs';

const TRIES = 4;
const TIMEOUT = 120_000;
/** More than ten times what a release weighs. */
const LARGEST = 200 << 20;
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** Whether nobody on the way can change what comes from there. */
export function isSafe(url) {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.includes(hostname));
}

/** Whether the environment wants a proxy for this address, by the rules of curl and most others. */
function proxied(url, env) {
  const { protocol, hostname } = new URL(url);
  const name = protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  if (!(env[name] || env[name.toUpperCase()] || env.all_proxy || env.ALL_PROXY)) return false;
  const except = (env.no_proxy || env.NO_PROXY || '').split(',').map((entry) => entry.trim().replace(/^\*?\./, ''));
  return !except.some((entry) => entry === '*' || (entry && (hostname === entry || hostname.endsWith(`.${entry}`))));
}

/** Node's own client knows no proxies; curl does. */
async function curl(url, stop) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tfguard-'));
  try {
    const file = path.join(folder, 'download');
    const args = ['--fail', '--silent', '--show-error', '--location', '--proto-redir', '=https', '--retry', String(TRIES)];
    args.push('--max-time', String(TIMEOUT / 1000), '--max-filesize', String(LARGEST), '--output', file, '--', url);
    const { error, status, stderr } = await run('curl', args, { stop });
    if (error) throw new Refusal(`${url} is to be fetched through a proxy, which needs curl on PATH: ${error.message}`, 69);
    if (status === 22 && stderr.includes('404')) return null;
    if (status !== 0) throw new Refusal(`${url} cannot be fetched: ${stderr.trim()}`, 69);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One try: the bytes, null when there is no such file. */
async function once(url, stop) {
  const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT), ...(stop ? [stop] : [])]);
  const response = await fetch(url, { signal, headers: { 'user-agent': 'tfguard-action' } });
  // As safe as where it came from said it would be.
  if (isSafe(url) && !isSafe(response.url)) throw final(`it leads to ${response.url}, which is not https`);
  if (response.status === 404) return null;
  if (!response.ok) {
    const passing = response.status >= 500 || response.status === 408 || response.status === 429;
    const text = `the server answers ${response.status}`;
    throw passing ? new Error(text) : final(text);
  }
  const parts = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    if (size > LARGEST) throw final(`it is larger than ${LARGEST} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** An error that another try would not mend. */
function final(text) {
  return Object.assign(new Error(text), { final: true });
}

/**
 * @param {string} url
 * @param {AbortSignal} stop ends it
 * @returns {Promise<Buffer | null>} null when there is no such file
 * @throws {Refusal} when it cannot be had
 */
export async function download(url, env = process.env, stop = undefined) {
  if (proxied(url, env)) return curl(url, stop);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(url, stop);
    } catch (error) {
      stop?.throwIfAborted();
      const why = error.cause?.message ?? error.message;
      if (error.final || attempt === TRIES) throw new Refusal(`${url} cannot be fetched: ${why}`, 69);
      await pause(500 * 2 ** attempt * Math.random());
    }
  }
}
