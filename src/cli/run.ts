// SPDX-License-Identifier: Apache-2.0
// `sluice run`: forwards packets between network devices, in the foreground, until SIGINT or SIGTERM.

import { defaultSocket } from '../control/api.ts';
import { defaultProcessSettings, settingsOf } from '../control/settings.ts';
import { serializeError, UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { createLogger, parseLogLevel } from '../core/logger.ts';
import { LocalFiles } from '../daemon/document-files.ts';
import { type Before, checkHandover, findBefore } from '../daemon/handover/before.ts';
import { Hangups } from '../daemon/hangups.ts';
import { openLog } from '../daemon/log-descriptor.ts';
import { composition, program } from '../daemon/root.ts';
import { run as runProcesses } from '../daemon/run.ts';
import { defaultSecretsFolder } from '../daemon/secret-files.ts';
import { type ConfigurationSource, lastSnapshot, readSnapshot } from '../daemon/source.ts';
import { defaultStateFolder } from '../daemon/state-folder.ts';
import { stealWays } from '../director/live-director.ts';
import { type Command, type ExitStatus, type ParsedOptions, parseOptions } from './command.ts';
import { author } from './terms.ts';

const usage = `Usage: sluice run [-c SLUICE.yaml | --rules FILE [--net NET.yaml] | --resume] [OPTION…]

Runs a supervisor, control, and a process for each configured plane. Today's plane is the director, which forwards
packets between network devices. Needs root; all processes except the supervisor give up root's powers. Runs until
SIGINT or SIGTERM and leaves the host as it was. SIGHUP applies the changed configuration, or logs what is wrong with it.
When the director's process crashes, another one takes over its connections.

Without a configuration it begins with no service: sluice apply and commands add them.

  -c, --config FILE   the configuration, as a sluice.yaml
  --rules FILE        instead: services and servers as ipvsadm commands, one a line
  --net FILE          with --rules: a net.yaml whose ports name the devices. Without it, and with a sluice.yaml without
                      ports, all devices with an address are used, except the loopback
  --resume            instead: begin by the snapshot that was in force last
  --stealing WAY      how packets are kept from the host's stack: tcx or clsact (BPF), or nftables (with one worker only);
                      the first one that the kernel supports unless given
  --workers N         number of workers, each pinned to a CPU, or auto: one for each CPU; 1 unless given, and then not
                      pinned
  --socket PATH       the admin socket (sluice status …); ${defaultSocket} unless given
  --user NAME         the user of all processes but the supervisor; ${defaultProcessSettings.user} unless given
  --state DIR         the folder of the history and of captures of the last packets before a crash; unless given
                      ${defaultStateFolder(defaultSocket)}, or beside another socket PATH the folder PATH.state
  --secrets DIR       the only folder whose files can be secrets of the configuration; ${defaultSecretsFolder}
                      unless given
  --log-level LEVEL   trace, debug, info, warn, error, fatal or silent; info unless given
`;

const options = {
  config: { type: 'string', short: 'c' },
  rules: { type: 'string' },
  net: { type: 'string' },
  stealing: { type: 'string' },
  workers: { type: 'string' },
  socket: { type: 'string' },
  state: { type: 'string' },
  secrets: { type: 'string' },
  resume: { type: 'boolean' },
  user: { type: 'string' },
  'log-level': { type: 'string' },
} as const;

function sourceOf({ values, flags }: ParsedOptions): ConfigurationSource {
  const [config, rules, net] = ['config', 'rules', 'net'].map(name => values.get(name)?.[0]);
  const resume = flags.has('resume') ? '' : undefined;
  const given = Object.entries({ config, rules, resume }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw new UsageError(`${given.map(([name]) => `--${name}`).join(' and ')} exclude each other`, {
      remedy: 'give one of -c SLUICE.yaml, --rules FILE and --resume, or none',
    });
  }
  if (rules === undefined && net !== undefined) {
    throw new UsageError('--net can only be used with --rules', { remedy: 'name the ports in the sluice.yaml' });
  }
  return {
    ...(config === undefined ? {} : { config }),
    ...(rules === undefined ? {} : { rules }),
    ...(net === undefined ? {} : { net }),
  };
}

function workers(word: string | undefined): number | 'auto' | undefined {
  if (word === undefined || word === 'auto') return word;
  const count = Number(word);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new UsageError('not a number of workers', {
    value: word,
    remedy: 'use 1 or more, or auto for one on each CPU',
  });
}

function stealing(word: string | undefined): string | undefined {
  if (word === undefined || stealWays.some(known => known === word)) return word;
  throw new UsageError('not a way of stealing', { value: word, remedy: `use one of ${stealWays.join(', ')}` });
}

async function run(args: readonly string[]): Promise<ExitStatus> {
  const hangups = new Hangups();
  const before = await findBefore(process.env);
  try {
    return await begin(args, hangups, before);
  } catch (error) {
    before?.supervisor.refuse(serializeError(error).message);
    throw error;
  }
}

async function begin(args: readonly string[], hangups: Hangups, before: Before | undefined): Promise<ExitStatus> {
  if (before !== undefined) checkHandover(before.handover);
  const parsed = parseOptions(args, options);
  const value = (name: string) => parsed.values.get(name)?.[0];
  const flags = {
    socket: value('socket'),
    user: value('user'),
    logLevel: value('log-level') === undefined ? undefined : parseLogLevel(value('log-level') ?? ''),
  };
  const source = sourceOf(parsed);
  const overrides = { director: given({ workers: workers(value('workers')), stealing: stealing(value('stealing')) }) };
  // A wrong configuration is reported before any process is started.
  const resumes = parsed.flags.has('resume');
  const stateFlag = before?.handover.stateFolder ?? value('state');
  const secretsFolder = value('secrets') ?? defaultSecretsFolder;
  const snapshot =
    resumes || before !== undefined
      ? await lastSnapshot(stateFlag ?? defaultStateFolder(flags.socket ?? defaultSocket))
      : await readSnapshot(source, new LocalFiles({ source, secretsFolder }));
  const settings = settingsOf(snapshot, flags);
  const { workers: count, stealing: way } = snapshot.director;
  const threads = { workers: overrides.director.workers ?? count, stealing: overrides.director.stealing ?? way };
  const log = openLog();
  const { exitStatus, message } = await runProcesses({
    options: {
      source,
      overrides,
      threads,
      logLevel: settings.logLevel,
      stateFolder: stateFlag ?? defaultStateFolder(settings.socket),
      author: author(),
      resumes,
    },
    adminSocket: settings.socket,
    user: settings.user,
    secretsFolder,
    logger: createLogger({ level: settings.logLevel, descriptor: log }),
    log,
    hangups,
    before,
    composition,
    program,
  });
  if (message !== undefined) process.stderr.write(`sluice: ${message}\n`);
  return exitStatus;
}

export const runCommand: Command = {
  usage,
  run,
};
