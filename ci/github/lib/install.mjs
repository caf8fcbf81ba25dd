// Gets the program: a release by version and platform, a build of the action's own source, or what is on PATH.

import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { download, isSafe } from './download.mjs';
import { run } from './processes.mjs';
import { Refusal, say } from './workflow.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TARGETS = {
  'linux x64': 'x86_64-unknown-linux-musl',
  'linux arm64': 'aarch64-unknown-linux-musl',
  'darwin x64': 'x86_64-apple-darwin',
  'darwin arm64': 'aarch64-apple-darwin',
};
const VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The name under which releases are built for this machine. */
export function target(platform = process.platform, arch = process.arch) {
  const found = TARGETS[`${platform} ${arch}`];
  if (!found) throw new Refusal(`tfguard is not built for ${platform} on ${arch}; its releases are for Linux and macOS`, 78);
  return found;
}

/** The version whose checkout this is. */
function ownVersion() {
  const manifest = readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8');
  return /^version = "([^"]+)"/m.exec(manifest)?.[1] ?? '';
}

/** Where the releases are: beside the action, unless it was said. */
function releases(given, env) {
  if (given) return given.replace(/\/+$/, '');
  const repository = env.GITHUB_ACTION_REPOSITORY;
  if (!repository) {
    throw new Refusal(
      'the action was not taken from a repository, so there is no telling where its releases are: give input ' +
        'download-url, or version: source or path',
      78,
    );
  }
  return `${env.GITHUB_SERVER_URL || 'https://github.com'}/${repository}/releases/download`;
}

/** The runner's tool cache, in the layout that other actions use too. */
class Cache {
  constructor(version, env) {
    const root = env.RUNNER_TOOL_CACHE || path.join(env.RUNNER_TEMP || os.tmpdir(), 'tools');
    this.folder = path.join(root, 'tfguard', version);
    this.entry = path.join(this.folder, process.arch);
    this.mark = `${this.entry}.complete`;
  }

  /** The program, if it is there and came from the archive with this checksum, where one was asked for. */
  find(checksum) {
    const program = path.join(this.entry, 'tfguard');
    if (!existsSync(this.mark) || !existsSync(program)) return null;
    return !checksum || readFileSync(this.mark, 'utf8').trim() === checksum ? program : null;
  }

  /** Puts a program in. Another job on the same machine may do the same at the same time. */
  keep(program, checksum) {
    mkdirSync(this.folder, { recursive: true });
    const made = mkdtempSync(path.join(this.folder, '.new-'));
    copyFileSync(program, path.join(made, 'tfguard'));
    chmodSync(path.join(made, 'tfguard'), 0o755);
    chmodSync(made, 0o755);
    try {
      if (existsSync(this.entry)) renameSync(this.entry, path.join(made, 'old'));
      renameSync(made, this.entry);
    } catch (error) {
      // The other one was faster, with the same program.
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code) || !existsSync(this.entry)) throw error;
      rmSync(made, { recursive: true, force: true });
    }
    rmSync(path.join(this.entry, 'old'), { recursive: true, force: true });
    writeFileSync(this.mark, checksum);
    return path.join(this.entry, 'tfguard');
  }
}

/** The checksum that `SHA256SUMS` has for a file. */
export function checksumOf(sums, name) {
  for (const line of sums.split('\n')) {
    const [, sum, file] = /^([0-9a-fA-F]{64}) [ *](?:\.\/)?(\S+)\s*$/.exec(line) ?? [];
    if (file === name) return sum.toLowerCase();
  }
  return null;
}

/** Unpacks an archive below `folder` and finds the program in it. */
async function unpack(archive, folder, stop) {
  const { error, status, stderr } = await run('tar', ['-xzf', archive, '-C', folder], { stop });
  if (error || status !== 0) throw new Refusal(`${archive} cannot be unpacked: ${error?.message ?? stderr.trim()}`, 69);
  const places = [folder, ...readdirSync(folder).map((name) => path.join(folder, name))];
  const programs = places.map((place) => path.join(place, 'tfguard'));
  const program = programs.find((place) => existsSync(place) && statSync(place).isFile());
  if (!program) throw new Refusal('the release archive has no tfguard in it', 69);
  return program;
}

async function release(settings, env, stop) {
  const version = (settings.version || ownVersion()).replace(/^v/, '');
  if (version === 'latest') {
    throw new Refusal('input version cannot be latest: a job is to do today what it did yesterday; name a release such as 1.2.3');
  }
  if (!VERSION.test(version)) {
    throw new Refusal(`input version is a release such as 1.2.3, or source or path, not ${JSON.stringify(settings.version)}`);
  }
  const platform = target();
  const cache = new Cache(version, env);
  const cached = cache.find(settings.sha256);
  if (cached) return cached;
  const base = releases(settings.downloadUrl, env);
  if (!isSafe(base) && !settings.sha256) {
    throw new Refusal(`${base} is not https, so anybody on the way could change what comes from there: give input sha256`);
  }
  const name = `tfguard-${version}-${platform}.tar.gz`;
  const url = `${base}/v${version}/${name}`;
  const archive = await download(url, env, stop);
  if (!archive) throw new Refusal(`there is no ${url}: check input version, and download-url where a mirror is used`, 78);
  const sum = sha256(archive);
  if (settings.sha256) {
    if (sum !== settings.sha256) throw new Refusal(`${url} has SHA-256 ${sum}, and input sha256 is ${settings.sha256}`, 78);
  } else {
    const sums = await download(`${base}/v${version}/SHA256SUMS`, env, stop);
    const wanted = sums && checksumOf(sums.toString(), name);
    if (!wanted) throw new Refusal(`${base}/v${version}/SHA256SUMS does not name ${name}: it is not run`, 78);
    if (sum !== wanted) throw new Refusal(`${url} has SHA-256 ${sum}, and SHA256SUMS says ${wanted}: it is not run`, 78);
  }
  const folder = mkdtempSync(path.join(env.RUNNER_TEMP || os.tmpdir(), 'tfguard-release-'));
  try {
    const file = path.join(folder, name);
    writeFileSync(file, archive);
    const program = cache.keep(await unpack(file, folder, stop), sum);
    await say(`installed tfguard ${version} for ${platform}`);
    return program;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One number for all that a build is made of. */
function fingerprint() {
  const hash = createHash('sha256').update(target());
  const add = (name) => {
    const place = path.join(ROOT, name);
    if (!existsSync(place)) return;
    if (statSync(place).isDirectory()) {
      for (const entry of readdirSync(place).sort()) add(path.join(name, entry));
    } else {
      hash.update(`\0${name}\0`).update(readFileSync(place));
    }
  };
  ['.cargo', 'Cargo.lock', 'Cargo.toml', 'build.rs', 'src'].forEach(add);
  return hash.digest('hex');
}

/** Built once for one state of the source: what was built before is taken from the tool cache. */
async function source(env, stop) {
  const sum = fingerprint();
  const cache = new Cache(`0.0.0-source.${sum.slice(0, 16)}`, env);
  const cached = cache.find(sum);
  if (cached) return cached;
  await say(`building tfguard from ${ROOT}`);
  const folder = mkdtempSync(path.join(env.RUNNER_TEMP || os.tmpdir(), 'tfguard-build-'));
  try {
    const args = ['build', '--release', '--locked', '--bin', 'tfguard', '--target-dir', folder];
    const { error, status } = await run('cargo', args, { cwd: ROOT, shown: true, stop });
    if (error) throw new Refusal(`version: source needs cargo on PATH: ${error.message}`, 78);
    if (status !== 0) throw new Refusal('tfguard could not be built from source: the messages above say why', 78);
    return cache.keep(path.join(folder, 'release', 'tfguard'), sum);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function onPath(env) {
  for (const folder of (env.PATH ?? '').split(path.delimiter)) {
    const program = path.resolve(folder || '.', 'tfguard');
    if (existsSync(program) && statSync(program).isFile()) return program;
  }
  throw new Refusal('version: path, and there is no tfguard on PATH', 78);
}

/**
 * The program's full path.
 * @param {AbortSignal} stop ends it, with its reason thrown
 * @throws {Refusal}
 */
export async function install(settings, env = process.env, stop = undefined) {
  if (process.platform === 'win32') throw new Refusal('tfguard runs on Linux and macOS, not on Windows', 78);
  if (settings.version === 'path') return onPath(env);
  const program = settings.version === 'source' ? await source(env, stop) : await release(settings, env, stop);
  const { error, status } = await run(program, ['--version'], { stop });
  if (error || status !== 0) {
    throw new Refusal(`${program} cannot be run here: ${error?.message ?? `it exits with ${status}`}`, 78);
  }
  return program;
}
