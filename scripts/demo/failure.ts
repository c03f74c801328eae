// SPDX-License-Identifier: Apache-2.0
// A real server fails and comes back, while clients go on with their requests.
import { until } from '../../lab/topology/until.ts';
import { eventsRoute } from '../../src/control/api.ts';
import { ApiClient } from '../../src/core/api/client.ts';
import type { AnswerOf } from '../../src/core/api/route.ts';
import { heading } from '../../tools/command.ts';
import { failingServer, type Running, services } from './lab.ts';
import { styled, width } from './style.ts';

type Event = AnswerOf<typeof eventsRoute>['events'][number];

/** For checks to see it, and for clients to send some requests meanwhile. */
const patienceMilliseconds = 20_000;
const leastRequests = 100;

interface Requests {
  readonly answered: number;
  readonly failed: number;
}

export async function showFailure(running: Running): Promise<void> {
  heading(`the real server ${failingServer} fails, and comes back (sluice events)`);
  const before = await requestsSoFar(running);
  await running.setFailing(true);
  const down = await eventsOf(running, 'server.down');
  for (const event of down) show(event);
  await until('clients go on', patienceMilliseconds, async () => {
    const { answered } = await requestsSoFar(running);
    return answered >= before.answered + leastRequests;
  });
  await running.setFailing(false);
  for (const event of await eventsOf(running, 'server.up')) show(event);
  const after = await requestsSoFar(running);
  const [answered, failed] = [after.answered - before.answered, after.failed - before.failed];
  console.log(`requests meanwhile: ${answered} answered by the others, ${failed} failed until the checks saw it`);
}

/** One event for each service, as soon as all are there. */
async function eventsOf({ socket }: Running, kind: string): Promise<readonly Event[]> {
  let events: readonly Event[] = [];
  await until(`${kind} is told of every service`, patienceMilliseconds, async () => {
    events = (await new ApiClient(socket).call(eventsRoute, { kind: [kind], most: services.length })).events;
    return events.length === services.length;
  });
  return events;
}

/** As `sluice events` has it, cut to the width. */
function show({ at, kind, text }: Event): void {
  const line = `${at.slice(11, 19)}  ${kind.padEnd('server.down'.length)}  ${text}`;
  const cut = line.length > width ? `${line.slice(0, width - 1)}…` : line;
  console.log(styled(kind === 'server.up' ? 'green' : 'red', cut));
}

/** As the clients have printed it last. */
async function requestsSoFar({ requests }: Running): Promise<Requests> {
  const lastLine = (): string | undefined => requests.stdout.split('\n').at(-2);
  await until('clients have printed their counts', patienceMilliseconds, () => lastLine() !== undefined);
  return JSON.parse(lastLine() ?? '');
}
