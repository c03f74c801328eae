// SPDX-License-Identifier: Apache-2.0
// What every process that the supervisor starts has in common: it waits for its turn, works until it is asked to end or
// its supervisor is no more, and refuses to run by itself.

import { url as inspectorUrl } from 'node:inspector';
import { Socket } from 'node:net';
import { createLogger, type Logger } from '../core/logger.ts';
import type { Fields } from '../core/messages.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeCrashState } from '../native/live-director.ts';
import { channelDescriptor, crashStateDescriptors } from './descriptors.ts';
import { type ChildEnd, childEnd, childPort, type toChild } from './messages.ts';
import type { ProcessPolicy } from './process-policy.ts';
import { Questions } from './questions.ts';
import type { RunOptions } from './run-options.ts';
import { signMilliseconds } from './watch.ts';

export type Work = Fields<typeof toChild, 'work'>;

/** What a process is given for its work. */
export interface Turn {
  readonly options: RunOptions;
  readonly work: Work;
  readonly channel: ChildEnd;
  readonly questions: Questions;
  readonly logger: Logger;
  /** What the process before has left, and where this one leaves what the next needs. */
  readonly crashState: NativeCrashState;
}

/** Why a process ends: it got the signal that the supervisor sends, or the supervisor is gone. */
export type EndReason = 'asked' | 'supervisor gone';

/** A process's part: starts to work, and gives what ends the work in good order. */
export type Part = (turn: Turn) => Promise<{ readonly listeners?: Listeners; stop(reason: EndReason): Promise<void> }>;

export interface Listeners {
  readonly reload?: () => void;
  readonly processes?: (fields: Fields<typeof toChild, 'processes'>) => void;
}

/**
 * Runs a part once the supervisor says so. `prepare` is done while the process stands by. Messages that come before the
 * part listens are kept.
 */
export async function runPart(
  { name, capabilities, programs }: ProcessPolicy,
  options: RunOptions,
  prepare: () => void,
  part: Part,
): Promise<void> {
  process.title = `sluice: ${name} (stands by)`;
  const logger = createLogger({ level: options.logLevel });
  const port = childPort(new Socket({ fd: channelDescriptor }));
  const channel = childEnd(port);
  const questions = new Questions(channel);
  const early: (() => void)[] = [];
  let listeners: Listeners = {};
  let isWorking = false;
  const deliver = (call: () => void): void => {
    if (isWorking) call();
    else early.push(call);
  };
  const work = new Promise<Work>(resolve => {
    channel.listen(
      {
        work: resolve,
        reload: () => deliver(() => listeners.reload?.()),
        processes: fields => deliver(() => listeners.processes?.(fields)),
        answer: fields => questions.arrived(fields),
      },
      err => logger.error({ err }, 'the supervisor said something that does not fit'),
    );
  });
  const ended = new Promise<EndReason>(resolve => {
    // However often: the supervisor is the one that loses patience, and kills.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve('asked'));
    port.onClose(() => resolve('supervisor gone'));
  });
  const signOfLife = (): void => {
    // A supervisor that does not read has its reasons, and hears of this process when it reads again.
    if (port.isDrained) channel.send('alive', { isInspected: inspectorUrl() !== undefined });
  };
  signOfLife();
  setInterval(signOfLife, signMilliseconds).unref();
  const allowBpf = capabilities.some(({ capability }) => capability === 'bpf');
  if (programs === 'plain') {
    loadAddon().keepFilesFromPrograms();
    loadAddon().keepCapabilitiesFromPrograms();
  }
  const failure = loadAddon().confine({ allowExec: programs !== 'none', allowBpf });
  if (failure !== undefined)
    logger.warn({ reason: failure.problem }, 'the system calls of the process are not confined');
  prepare();
  channel.send('prepared', {});
  const begun = await Promise.race([work, ended]);
  if (typeof begun === 'string') process.exit(0);
  process.title = `sluice: ${name}`;
  const crashState = new (loadAddon().CrashState)(...crashStateDescriptors);
  if (begun.crashState === 'forget') crashState.withdraw();
  const running = await part({ options, work: begun, channel, questions, logger, crashState });
  listeners = running.listeners ?? {};
  isWorking = true;
  for (const call of early) call();
  await running.stop(await ended);
  // Whatever still waits for something has no reason to any more.
  process.exit(0);
}
