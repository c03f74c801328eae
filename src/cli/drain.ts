// SPDX-License-Identifier: Apache-2.0
// `sluice drain`: takes a real server out for maintenance and waits until its connections have ended, or takes it back.
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '../core/api/client.ts';
import { UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { counted } from '../core/words.ts';
import { directorEndConnections, maintenanceRoute } from '../director/api.ts';
import { type Left, leftOn, type ServerOf } from '../director/drain.ts';
import { type Command, type ExitStatus, onlyWord, type ParsedOptions, parseOptions, print } from './command.ts';
import { clientOf, commonOptions, commonUsage } from './question.ts';
import { author, secondsOf } from './terms.ts';

const usage = `Usage: sluice drain SERVER [OPTION…]

Takes the real server SERVER, an address or an address and port, out for maintenance in all services that have it: it gets
no new connections, and its connections go on. Says how many are left, and ends with status 0 when there are none: then
it is safe to stop the server. A restart or a crash of Sluice changes nothing; --undo takes the server back.

  --service NAME   only in this service, such as 'tcp 192.0.2.10:80'
  --deadline TIME  end with status 1 when connections are left after this time: 60s, 5m. Unless given: wait on
  --reset          at the deadline end the connections that are left, and end with status 0: their next packets are reset
  --keep-udp       UDP flows stay until their timeout. Unless given they go to other servers with their next packet: a
                   QUIC connection breaks by that
  --no-wait        do not wait
  --undo           the maintenance is over: the server gets new connections
  --reason TEXT    why; shown in the history
${commonUsage}
`;

const options = {
  ...commonOptions,
  service: { type: 'string' },
  deadline: { type: 'string' },
  reason: { type: 'string' },
  reset: { type: 'boolean' },
  'keep-udp': { type: 'boolean' },
  'no-wait': { type: 'boolean' },
  undo: { type: 'boolean' },
} as const;

const pollMilliseconds = 500;
const lineMilliseconds = 5000;

export const drainCommand: Command = { usage, run };

type Counts = Pick<Left, 'open' | 'ended' | 'persistent'>;

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options, { takesWords: true });
  const { values, flags } = parsed;
  const server = onlyWord(parsed, 'a real server');
  const isOn = !flags.has('undo');
  const seconds = deadlineOf(parsed);
  const client = clientOf(parsed);
  const asked = {
    server,
    on: isOn,
    author: author(),
    ...given({ service: values.get('service')?.[0], reason: values.get('reason')?.[0] }),
  };
  const { servers } = await client.call(maintenanceRoute, asked);
  const report = (text: string, fields: object): void =>
    print(flags.has('json') ? `${JSON.stringify({ ...fields, servers })}\n` : text);
  const names = servers.map(each => `${each.server} of ${each.service}`).join(', ');
  if (!isOn) {
    report(`${names}: the maintenance is over\n`, { done: true });
    return 0;
  }
  if (!flags.has('keep-udp')) await endConnections(client, servers.filter(mayHaveUdp), 'udp');
  if (flags.has('no-wait')) {
    report(`${names}: gets no new connections\n`, { done: false });
    return 0;
  }
  process.stderr.write(`${names}: gets no new connections\n`);
  const left = await wait(client, servers, seconds);
  if (left.open > 0 && flags.has('reset')) {
    const count = await endConnections(client, servers);
    report(`${counted(count, 'connection')} ended: it is safe to stop the server\n`, { done: true, reset: count });
    return 0;
  }
  const isDone = left.open === 0;
  report(
    isDone ? 'no connections are left: it is safe to stop the server\n' : `left at the deadline: ${words(left)}\n`,
    { done: isDone, ...left },
  );
  return isDone ? 0 : 1;
}

/** A service of a firewall mark has packets of any protocol. */
function mayHaveUdp({ service }: ServerOf): boolean {
  return !service.startsWith('tcp') && !service.startsWith('sctp');
}

async function endConnections(client: ApiClient, servers: readonly ServerOf[], protocol?: 'udp'): Promise<number> {
  let sum = 0;
  for (const { service, server } of servers) {
    const wanted = { service, server, ...given({ protocol }), author: author() };
    sum += (await client.call(directorEndConnections, wanted)).count;
  }
  return sum;
}

function deadlineOf({ values, flags }: ParsedOptions): number {
  const deadline = values.get('deadline')?.[0];
  if (deadline === undefined && flags.has('reset')) {
    throw new UsageError('--reset needs a deadline', { remedy: 'say when connections are ended: --deadline 60s' });
  }
  if (deadline === undefined) return Number.POSITIVE_INFINITY;
  const other = ['undo', 'no-wait'].find(flag => flags.has(flag));
  if (other !== undefined) throw new UsageError(`--deadline does not go with --${other}`, { value: deadline });
  return secondsOf(deadline);
}

/** What is left when nothing is, or at the deadline. Says on standard error how it goes on. */
async function wait(client: ApiClient, servers: readonly ServerOf[], seconds: number): Promise<Counts> {
  const deadline = performance.now() + seconds * 1000;
  let said = Number.NEGATIVE_INFINITY;
  for (;;) {
    const left = await countsOf(client, servers);
    if (left.open === 0 || performance.now() > deadline) return left;
    if (performance.now() - said >= lineMilliseconds) {
      said = performance.now();
      process.stderr.write(`left: ${words(left)}\n`);
    }
    await delay(pollMilliseconds);
  }
}

async function countsOf(client: ApiClient, servers: readonly ServerOf[]): Promise<Counts> {
  const counts = { open: 0, ended: 0, persistent: 0 };
  for (const { open, ended, persistent } of await leftOn(client, servers)) {
    counts.open += open;
    counts.ended += ended;
    counts.persistent += persistent;
  }
  return counts;
}

function words({ open, ended, persistent }: Counts): string {
  const clients = persistent === 0 ? '' : `; persistence keeps ${persistent} clients on it`;
  return `${open} connections, and ${ended} that have ended${clients}`;
}
