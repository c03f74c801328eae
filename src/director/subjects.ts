// SPDX-License-Identifier: Apache-2.0
// The virtual services and real servers that a person may ask about, by the names that people give them.
import { parseAddress } from '../core/address.ts';
import { formatEndpoint, parseEndpoint } from '../core/endpoint.ts';
import type { Subject } from '../core/explanation.ts';
import { type DirectorModel, type RealServer, type Service, serverKey, serviceKey } from './model.ts';

/** All services, a service, or a real server in each service that has it: by its address, which stands for all of its ports, or by address and port. */
export function subjectsNamed({ services }: DirectorModel, { group, target }: Partial<Subject>): readonly Subject[] {
  const wanted = services.filter(service => group === undefined || isNamed(service, group));
  if (target === undefined) return wanted.map(({ identity }) => ({ group: serviceKey(identity) }));
  const isMeant = serverMatcher(target);
  return wanted.flatMap(service =>
    serversOf(service)
      .filter(isMeant)
      .map(server => ({ group: serviceKey(service.identity), target: serverKey(server) })),
  );
}

/** Whether a real server is the one that a person names. */
export function serverMatcher(name: string): (server: RealServer) => boolean {
  const written = canonical(name);
  return server => server.address === written || serverKey(server) === written;
}

/** The sorry server may be one of the others. */
function serversOf({ servers, health }: Service): readonly RealServer[] {
  const sorry = health?.sorry;
  if (!sorry || servers.some(server => serverKey(server) === serverKey(sorry))) return servers;
  return [...servers, sorry];
}

function isNamed({ identity }: Service, name: string): boolean {
  if (serviceKey(identity) === name) return true;
  if ('mark' in identity) return false;
  return formatEndpoint(identity.address, identity.port) === name || identity.address === name;
}

/** An address, or an address and port, as the model has them; whatever else it may be, as it is. */
function canonical(server: string): string {
  const address = parseAddress(server);
  if (address !== undefined) return address.text;
  const endpoint = parseEndpoint(server);
  return 'fault' in endpoint ? server : formatEndpoint(endpoint.address.text, endpoint.port ?? 0);
}
