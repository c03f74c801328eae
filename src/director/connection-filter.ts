// SPDX-License-Identifier: Apache-2.0
// Which connections a person wants to see. The native module looks at the flows by it, so that only those that are wanted
// become objects here.
import { parseAddress } from '../core/address.ts';
import type { ParametersOf } from '../core/api/route.ts';
import { parseEndpoint } from '../core/endpoint.ts';
import { UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeConnectionFilter } from '../native/live-director.ts';
import type { directorConnections } from './api.ts';
import type { DirectorModel } from './model.ts';
import { planIdentity } from './plan.ts';
import { serviceNamed } from './service-name.ts';

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/** The filter as the native module has it. Throws a UsageError for a name that does not exist. */
export function connectionFilter(
  model: DirectorModel,
  { service, server, client, protocol, state }: ParametersOf<typeof directorConnections>,
): NativeConnectionFilter {
  return given({
    service: service === undefined ? undefined : planIdentity(serviceNamed(model, service)),
    client: client === undefined ? undefined : addressText(client),
    protocol: protocol === undefined ? undefined : protocolNumbers[protocol],
    state: state === undefined ? undefined : stateNamed(state),
    ...(server === undefined ? {} : serverNamed(server)),
  });
}

function serverNamed(text: string): Pick<NativeConnectionFilter, 'server' | 'serverPort'> {
  const endpoint = parseEndpoint(text);
  if ('fault' in endpoint) {
    throw new UsageError(`a real server ${endpoint.fault}`, { value: text, remedy: endpoint.remedy });
  }
  return { server: endpoint.address.text, ...given({ serverPort: endpoint.port }) };
}

function addressText(text: string): string {
  const address = parseAddress(text);
  if (address !== undefined) return address.text;
  throw new UsageError('not an address', { value: text, remedy: 'use an IPv4 or IPv6 address' });
}

function stateNamed(text: string): string {
  const { connectionStates } = loadAddon();
  const name = text.toUpperCase();
  if (connectionStates.includes(name)) return name;
  throw new UsageError('there is no such state', { value: text, remedy: `use one of ${connectionStates.join(', ')}` });
}
