// SPDX-License-Identifier: Apache-2.0
// Answers of the running director (api.ts has the questions).
import { type Answering, type AnswerOf, answering, type ParametersOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import type { Tell } from '../core/events/event.ts';
import { given } from '../core/given.ts';
import { counted } from '../core/words.ts';
import {
  directorCapture,
  directorConnectionCount,
  directorConnections,
  directorEndConnections,
  directorExplain,
  directorIpvsadm,
  directorServices,
  directorStatus,
  directorTop,
  directorZero,
} from './api.ts';
import { connectionFilter } from './connection-filter.ts';
import { explain } from './explanation.ts';
import { formatServices } from './ipvsadm/listing.ts';
import { capture } from './live-capture.ts';
import type { LiveDirector } from './live-director.ts';
import { measure } from './measurement.ts';
import { serviceNamed } from './service-name.ts';
import type { Connection } from './views.ts';

/** `running` gives the director, or throws an UnavailableError while none runs. */
export function directorAnswers(running: () => LiveDirector, tell: Tell): Answering[] {
  return [
    answering(directorStatus, () => status(running())),
    answering(directorServices, ({ service }) =>
      running().services(service === undefined ? undefined : serviceNamed(running().model, service)),
    ),
    answering(directorIpvsadm, () => formatServices(running().services())),
    answering(directorConnections, parameters => connections(running(), parameters)),
    answering(directorConnectionCount, async parameters => {
      const filter = connectionFilter(running().model, parameters);
      return { count: await running().countConnections(filter) };
    }),
    answering(directorEndConnections, parameters => endConnections(running(), tell, parameters)),
    answering(directorTop, () => measure(running())),
    answering(directorExplain, parameters => explain(running(), parameters)),
    answering(directorZero, ({ service }) => {
      const { model } = running();
      running().zeroCounters(service === undefined ? undefined : serviceNamed(model, service));
      return {};
    }),
    answering(directorCapture, (parameters, { signal }) => capture(running(), parameters, signal)),
  ];
}

function status(liveDirector: LiveDirector) {
  const counts = Object.entries(liveDirector.counts()).filter(([, count]) => count > 0);
  return {
    workers: liveDirector.workerCount,
    ...liveDirector.state(),
    services: liveDirector.services(),
    packets: Object.fromEntries(counts),
  };
}

async function endConnections(
  liveDirector: LiveDirector,
  tell: Tell,
  { author = 'unknown', ...wanted }: ParametersOf<typeof directorEndConnections>,
): Promise<AnswerOf<typeof directorEndConnections>> {
  const named = Object.entries(given(wanted));
  if (named.length === 0) {
    throw new UsageError('no connections are named', {
      remedy: 'say which: of a service, server, client, protocol or state',
    });
  }
  const count = await liveDirector.endConnections(connectionFilter(liveDirector.model, wanted));
  const which = named.map(([name, value]) => `${name} ${value}`).join(', ');
  if (count === 0) return { count };
  const text = `${author} ended ${counted(count, 'connection')}: ${which}`;
  tell({
    kind: 'connections.ended',
    severity: 'info',
    subject: 'director',
    text,
    fields: { ...wanted, author, count },
  });
  return { count };
}

async function* connections(
  liveDirector: LiveDirector,
  parameters: ParametersOf<typeof directorConnections>,
): AsyncGenerator<Connection, void, undefined> {
  const filter = connectionFilter(liveDirector.model, parameters);
  for await (const part of liveDirector.connectionParts(filter)) yield* part;
}
