// The action's inputs, and the command line that they make.

import path from 'node:path';
import { Refusal } from './workflow.mjs';
import { words } from './words.mjs';

const COMMANDS = ['install', 'init', 'plan', 'apply', 'destroy', 'run', 'drift', 'exec'];
/** Commands of Terraform's that ask before they change something. */
const ASKING = ['apply', 'destroy'];

/** Where the lock is: `status` and `unlock` of the same lock need these too. Option and input have one name. */
const PLACE = ['store', 'table', 'bucket', 'region', 'endpoint-url', 'profile', 'role-arn', 'local-dir'];
const VALUES = [
  'lease',
  'wait-timeout',
  'stop-timeout',
  'deadline',
  'on-lease-lost',
  'reason',
  'terraform-bin',
  'init',
  'free-state-lock',
  'rescue-dir',
  'min-session',
  'stop-before-expiry',
  'log-format',
];
const FLAGS = ['shared', 'require-clean', 'allow-stale-plan', 'verbose', 'quiet'];

/** The value of an input. The runner makes blanks to underscores and keeps hyphens. */
export function input(name, env = process.env) {
  return (env[`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`] ?? '').trim();
}

function flag(name, env) {
  const value = input(name, env).toLowerCase();
  if (['', 'false', 'no', 'off', '0'].includes(value)) return false;
  if (['true', 'yes', 'on', '1'].includes(value)) return true;
  throw new Refusal(`input ${name} is either true or false, not ${JSON.stringify(value)}`);
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `90`, `90s`, `4m`, `1h 30m`. */
export function duration(text, name) {
  const parts = text.trim().match(/^(\d+)$|^(?:\d+(?:ms|s|m|h)\s*)+$/);
  if (!parts) throw new Refusal(`input ${name} is a time such as 90s, 4m or "1h 30m", not ${JSON.stringify(text)}`);
  if (parts[1]) return Number(parts[1]) * UNITS.s;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) sum += Number(number) * UNITS[unit];
  return sum;
}

function list(name, env) {
  const value = input(name, env);
  try {
    return words(value);
  } catch (error) {
    throw new Refusal(`input ${name}: ${error.message}`);
  }
}

/** Terraform's `-name`, also as `--name` and with a value after `=`. */
function has(args, name) {
  return args.some((arg) => arg.replace(/^--?/, '-').split('=')[0] === `-${name}`);
}

/** The value of Terraform's `-name=VALUE` or `-name VALUE`: the last one counts. */
function valueOf(args, name) {
  let value = '';
  args.forEach((arg, at) => {
    const [option, given] = arg.replace(/^--?/, '-').split(/=(.*)/s);
    if (option === `-${name}`) value = given ?? args[at + 1] ?? '';
  });
  return value;
}

/**
 * Everything that `main` needs to know.
 *
 * `workspace` is where relative paths begin, and `directory` the configuration's as it was given;
 * `place` are the options that name directory and store, `options` all of them, `argv` the whole command line;
 * `planFile` is where a plan will be, with its full path, or empty; `changesCode` is the exit code that means
 * "there are changes" and not a failure, or null.
 *
 * @throws {Refusal}
 */
export function read(env = process.env, workspace = env.GITHUB_WORKSPACE || process.cwd()) {
  const command = input('command', env);
  if (!COMMANDS.includes(command)) {
    const given = command === '' ? 'is missing' : `is ${JSON.stringify(command)}`;
    throw new Refusal(`input command ${given}; it is one of ${COMMANDS.join(', ')}`);
  }
  const settings = {
    command,
    version: input('version', env),
    downloadUrl: input('download-url', env) || (env.TFGUARD_DOWNLOAD_URL ?? ''),
    sha256: input('sha256', env).toLowerCase(),
    commands: flag('workflow-commands', env),
    failOnChanges: flag('fail-on-changes', env),
    stopBudget: duration(input('stop-budget', env) || '4m', 'stop-budget'),
  };
  if (settings.sha256 && !/^[0-9a-f]{64}$/.test(settings.sha256)) {
    throw new Refusal('input sha256 is the SHA-256 of the release archive: 64 hexadecimal digits');
  }
  if (command === 'install') return settings;

  const place = [];
  const directory = input('working-directory', env);
  if (directory) place.push(`--chdir=${directory}`);
  for (const name of PLACE) if (input(name, env)) place.push(`--${name}=${input(name, env)}`);
  const options = [...place];
  for (const name of input('lock', env).split('\n')) if (name.trim()) options.push(`--lock=${name.trim()}`);
  for (const name of VALUES) if (input(name, env)) options.push(`--${name}=${input(name, env)}`);
  for (const name of FLAGS) if (flag(name, env)) options.push(`--${name}`);

  const args = list('args', env);
  const approve = flag('auto-approve', env);
  const plan = input('plan-file', env);
  const terraformDir = path.resolve(workspace, directory);
  const planFile = plan && path.resolve(terraformDir, plan);
  const own = [];
  const before = [];
  if (approve && command === 'run') own.push('--auto-approve');
  else if (approve && ASKING.includes(command)) before.push('-auto-approve');
  else if (approve) throw new Refusal(`input auto-approve is for apply, destroy and run, not for ${command}`);
  let written = '';
  if (planFile && command === 'apply') {
    args.push(planFile);
  } else if (planFile && ['plan', 'run'].includes(command)) {
    before.push(`-out=${planFile}`);
    written = planFile;
  } else if (planFile) {
    throw new Refusal(`input plan-file is for plan, run and apply, not for ${command}`);
  } else if (['plan', 'run'].includes(command) && valueOf(args, 'out')) {
    written = path.resolve(terraformDir, valueOf(args, 'out'));
  }
  const all = [...before, ...args];
  if (command === 'exec' && all.length === 0) throw new Refusal('command exec needs the command to run, in input args');
  const detailed = command === 'drift' || (['plan', 'run'].includes(command) && has(all, 'detailed-exitcode'));
  const log = input('log-file', env);
  return {
    ...settings,
    workspace,
    directory: directory || '.',
    place,
    logFile: log && path.resolve(workspace, log),
    argv: [command, ...options, ...own, ...(all.length > 0 ? ['--', ...all] : [])],
    planFile: written,
    changesCode: detailed ? 2 : null,
  };
}
