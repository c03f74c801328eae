// SPDX-License-Identifier: Apache-2.0
// `sluice run`: forwards between network devices, in the foreground, until it is asked to end.
import { availableParallelism } from 'node:os';
import { UsageError } from '../core/errors.ts';
import { Lifecycle } from '../core/lifecycle.ts';
import { createLogger, parseLogLevel } from '../core/logger.ts';
import { stopOnSignals } from '../core/signals.ts';
import { AdminServer, defaultSocket } from '../daemon/admin-server.ts';
import { Balancer } from '../daemon/balancer.ts';
import { defaultCrashFolder } from '../daemon/crash-capture.ts';
import { type ConfigurationSource, readSnapshot } from '../daemon/source.ts';
import { inheritedCrashState, stopWithParent, supervise, tellParent } from '../daemon/supervisor.ts';
import { type StealWay, stealWays } from '../director/live-director.ts';
import { type Command, type ExitStatus, type ParsedOptions, parseOptions } from './command.ts';

const usage = `Usage: sluice run (-c SLUICE.yaml | --rules FILE [--net NET.yaml]) [OPTION…]

Forwards packets between network devices by the services that are configured. Needs root. Runs until SIGINT or SIGTERM
and leaves the host as it was; SIGHUP applies the changed configuration, or says what is wrong with it. When the process
that forwards crashes, another one carries its connections on.

  -c, --config FILE   what to do, as a sluice.yaml
  --rules FILE        instead: services and servers as ipvsadm commands, one a line
  --net FILE          with --rules: a net.yaml whose ports name the devices. Without it, and in a sluice.yaml without
                      ports, all devices that have an address, but the loopback
  --stealing WAY      how packets are kept from the host's stack: tcx or clsact (BPF), or nftables, with one worker only;
                      the first of them that the kernel has unless given
  --workers N         threads that forward, each pinned to a CPU; 1 unless given, and then pinned to none
  --socket PATH       where questions are answered (sluice status …); ${defaultSocket} unless given
  --crashes DIR       where the last packets before a crash are written; ${defaultCrashFolder} unless given
  --log-level LEVEL   trace, debug, info, warn, error, fatal or silent; info unless given
`;

const options = {
  config: { type: 'string', short: 'c' },
  rules: { type: 'string' },
  net: { type: 'string' },
  stealing: { type: 'string' },
  workers: { type: 'string' },
  socket: { type: 'string' },
  crashes: { type: 'string' },
  'log-level': { type: 'string' },
} as const;

function sourceOf({ values }: ParsedOptions): ConfigurationSource {
  const [config, rules, net] = ['config', 'rules', 'net'].map(name => values.get(name)?.[0]);
  if ((config === undefined) === (rules === undefined)) {
    throw new UsageError(config === undefined ? 'nothing is configured' : '--rules and --config exclude each other', {
      remedy: 'give -c SLUICE.yaml or --rules FILE',
    });
  }
  if (config !== undefined && net !== undefined) {
    throw new UsageError('--net belongs to --rules', { remedy: 'name the ports in the sluice.yaml' });
  }
  return {
    ...(config === undefined ? {} : { config }),
    ...(rules === undefined ? {} : { rules }),
    ...(net === undefined ? {} : { net }),
  };
}

/** A CPU for each worker; a single one goes where the scheduler puts it. */
function cpusFor(word: string | undefined): number[] {
  if (word === undefined) return [-1];
  const count = Number(word);
  const most = availableParallelism();
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new UsageError('not a number of workers', { value: word, remedy: `use 1 to ${most}, this machine's CPUs` });
  }
  return count === 1 ? [-1] : Array.from({ length: count }, (_, cpu) => cpu);
}

function stealWay(word: string | undefined): StealWay | undefined {
  const way = stealWays.find(known => known === word);
  if (word === undefined || way !== undefined) return way;
  throw new UsageError('not a way of stealing', { value: word, remedy: `use one of ${stealWays.join(', ')}` });
}

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options);
  const value = (name: string) => parsed.values.get(name)?.[0];
  const level = parseLogLevel(value('log-level') ?? 'info');
  const logger = createLogger({ level });
  const source = sourceOf(parsed);
  const cpus = cpusFor(value('workers'));
  const stealing = stealWay(value('stealing'));
  const crashState = await inheritedCrashState({ workers: cpus.length, stealing });
  if (crashState === undefined) {
    readSnapshot(source); // its mistakes are this process's to tell, before another one is started
    return (await supervise({ logger })) === 0 ? 0 : 1;
  }
  const balancer = new Balancer({
    ...{ source, cpus, stealing, logger, crashState },
    crashFolder: value('crashes') ?? defaultCrashFolder,
  });
  const socket = new AdminServer(value('socket') ?? defaultSocket, balancer, logger);
  // The socket first: of two processes the second finds out before it touches the network.
  const lifecycle = new Lifecycle([socket, balancer]);
  let forget = (): void => {};
  const ended = new Promise<void>(resolve => {
    forget = stopOnSignals({ logger, stop: resolve });
    stopWithParent(resolve);
  });
  const reload = (): void => balancer.reload();
  process.on('SIGHUP', reload);
  try {
    await lifecycle.start();
    tellParent();
    await ended;
    await lifecycle.stop();
  } finally {
    process.off('SIGHUP', reload);
    forget();
  }
  return 0;
}

export const runCommand: Command = {
  usage,
  run,
};
