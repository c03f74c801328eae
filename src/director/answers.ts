// SPDX-License-Identifier: Apache-2.0
// Answers of the running director (api.ts has the questions).
import { parseAddress } from '../core/address.ts';
import { type Answering, answering, type ParametersOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import {
  directorCapture,
  directorConnections,
  directorExplain,
  directorIpvsadm,
  directorServices,
  directorStatus,
  directorTop,
  directorZero,
} from './api.ts';
import { explain } from './explanation.ts';
import { formatServices } from './ipvsadm/listing.ts';
import { capture } from './live-capture.ts';
import type { LiveDirector } from './live-director.ts';
import { measure } from './measurement.ts';
import { formatEndpoint, serviceKey } from './model.ts';
import { serviceNamed } from './service-name.ts';
import type { Connection } from './views.ts';

/** `running` gives the director, or throws an UnavailableError while none runs. */
export function directorAnswers(running: () => LiveDirector): Answering[] {
  return [
    answering(directorStatus, () => status(running())),
    answering(directorServices, ({ service }) =>
      running().services(service === undefined ? undefined : serviceNamed(running().model, service)),
    ),
    answering(directorIpvsadm, () => formatServices(running().services())),
    answering(directorConnections, parameters => connections(running(), parameters)),
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

async function* connections(
  liveDirector: LiveDirector,
  parameters: ParametersOf<typeof directorConnections>,
): AsyncGenerator<Connection, void, undefined> {
  const isWanted = connectionFilter(liveDirector, parameters);
  for await (const part of liveDirector.connectionParts()) yield* part.filter(isWanted);
}

function connectionFilter(
  { model }: LiveDirector,
  { service, client }: ParametersOf<typeof directorConnections>,
): (row: Connection) => boolean {
  const name = service === undefined ? undefined : rowName(model, service);
  const address = client === undefined ? undefined : addressText(client);
  return row =>
    (name === undefined ||
      `${row.protocol.toLowerCase()} ${formatEndpoint(row.virtual.address, row.virtual.port)}` === name) &&
    (address === undefined || row.client.address === address);
}

function rowName(model: LiveDirector['model'], service: string): string {
  const identity = serviceNamed(model, service);
  if (!('mark' in identity)) return serviceKey(identity);
  throw new UsageError('connections do not say by which firewall mark they came', {
    value: service,
    remedy: 'name a client instead, or a service with an address',
  });
}

function addressText(text: string): string {
  const address = parseAddress(text);
  if (address !== undefined) return address.text;
  throw new UsageError('not an address', { value: text, remedy: 'use an IPv4 or IPv6 address' });
}
