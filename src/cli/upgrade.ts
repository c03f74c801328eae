// SPDX-License-Identifier: Apache-2.0
// `sluice upgrade`: has a running Sluice hand over to the program that is on disk now.
import { setTimeout as delay } from 'node:timers/promises';
import { controlStatus, controlUpgrade } from '../control/api.ts';
import type { ApiClient } from '../core/api/client.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { UnavailableError } from '../core/errors.ts';
import { buildIdentity } from '../daemon/build-identity.ts';
import { type Command, type ExitStatus, parseOptions, print } from './command.ts';
import { clientOf, commonOptions, commonUsage } from './question.ts';
import { author } from './terms.ts';

const usage = `Usage: sluice upgrade [--if-new] [OPTION…]

A running Sluice starts the program that is on disk now, with the words that it was started with, and hands over to it:
the snapshot in force, all connections and all sockets. The new processes are ready before the old ones end, so that
packets wait about as long as after a crash of the director. When the new program cannot begin or does not work, the old
one goes on, and the reason is printed. Under systemd the service stays the same.

The process that a person started in a terminal ends; the new one goes on without the terminal's job control.

  --if-new        do nothing when the program on disk is the one that runs, or one that has not taken over before
${commonUsage}
`;

const options = { ...commonOptions, 'if-new': { type: 'boolean' } } as const;

/** The supervisor itself waits for half a minute for the next one to work. */
const mostMilliseconds = 60_000;
/** Control that was killed cannot answer, and the handover may go on. */
const refusalMilliseconds = 10_000;
const pollMilliseconds = 100;

export const upgradeCommand: Command = { usage, run };

type Process = AnswerOf<typeof controlStatus>['processes'][number];

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options);
  const client = clientOf(parsed);
  const report = (text: string, fields: object): ExitStatus => {
    print(parsed.flags.has('json') ? `${JSON.stringify(fields)}\n` : `${text}\n`);
    return 0;
  };
  const before = await supervisorOf(client);
  const build = buildIdentity();
  if (parsed.flags.has('if-new')) {
    const kept = { upgraded: false, pid: before.pid };
    if (before.build === build) return report('the program on disk is the one that runs', kept);
    if (before.refusedBuild === build) {
      const why = before.lastError?.message ?? '';
      return report(`the build on disk has not taken over before: ${why}; sluice upgrade tries it again`, kept);
    }
  }
  // Control may be replaced before its answer is here.
  const asked = client.call(controlUpgrade, { build, author: author() });
  const refusal = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  const now = await handedOver(client, before, refusal);
  return report(`process ${now.pid} has taken over from process ${before.pid}`, {
    upgraded: true,
    pid: now.pid,
    build,
  });
}

/** Waits until another supervisor answers. Throws why the one before goes on. */
async function handedOver(client: ApiClient, before: Process, refusal: unknown): Promise<Process> {
  const end = Date.now() + (refusal === undefined ? mostMilliseconds : refusalMilliseconds);
  while (Date.now() < end) {
    // Nobody answers while control is replaced.
    const now = await supervisorOf(client).catch(() => undefined);
    if (now !== undefined && now.pid !== before.pid) return now;
    if (now?.lastError !== undefined && now.lastError.at !== before.lastError?.at) {
      throw new UnavailableError(now.lastError.message, { remedy: 'the one that ran goes on; look at its log' });
    }
    await delay(pollMilliseconds);
  }
  if (refusal !== undefined) throw refusal;
  throw new UnavailableError('no supervisor answers', { remedy: 'look at the log of the service' });
}

async function supervisorOf(client: ApiClient): Promise<Process> {
  const { processes } = await client.call(controlStatus, {});
  const found = processes.find(({ name }) => name === 'supervisor');
  if (found === undefined)
    throw new UnavailableError('no supervisor is known yet', { remedy: 'try again in a moment' });
  return found;
}
