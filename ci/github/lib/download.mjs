// Fetches a file over HTTP, with tries, a bound on size and time, and through the proxy that the machine prescribes.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Refusal } from './workflow.mjs';

const TRIES = 4;
const TIMEOUT = 120_000;
/** More than ten times what a release weighs. */
const LARGEST = 200 << 20;
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** Whether nobody on the way can change what comes from there. */
export function isSafe(url) {
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
function curl(url) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tfguard-'));
  try {
    const file = path.join(folder, 'download');
    const args = ['--fail', '--silent', '--show-error', '--location', '--proto-redir', '=https', '--retry', String(TRIES)];
    args.push('--max-time', String(TIMEOUT / 1000), '--max-filesize', String(LARGEST), '--output', file, '--', url);
    const { error, status, stderr } = spawnSync('curl', args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    if (error) throw new Refusal(`${url} is to be fetched through a proxy, which needs curl on PATH: ${error.message}`, 69);
    if (status === 22 && stderr.includes('404')) return null;
    if (status !== 0) throw new Refusal(`${url} cannot be fetched: ${stderr.trim()}`, 69);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One try: the bytes, null when there is no such file. */
async function once(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT), headers: { 'user-agent': 'tfguard-action' } });
  if (response.status === 404) return null;
  if (!response.ok) {
    const error = new Error(`the server answers ${response.status}`);
    error.final = response.status < 500 && response.status !== 408 && response.status !== 429;
    throw error;
  }
  const parts = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    if (size > LARGEST) throw Object.assign(new Error(`it is larger than ${LARGEST} bytes`), { final: true });
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * @param {string} url
 * @returns {Promise<Buffer | null>} null when there is no such file
 * @throws {Refusal} when it cannot be had
 */
export async function download(url, env = process.env) {
  if (proxied(url, env)) return curl(url);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(url);
    } catch (error) {
      const why = error.cause?.message ?? error.message;
      if (error.final || attempt === TRIES) throw new Refusal(`${url} cannot be fetched: ${why}`, 69);
      await pause(500 * 2 ** attempt * Math.random());
    }
  }
}
