// SPDX-License-Identifier: Apache-2.0
// The model that the director runs: the configured model, corrected by what health checks have found. The order of
// services and of real servers stays as configured. So a server that comes back gets its old place. What services say
// about health is left out, so that the director has nothing to do when only that changes.

import { deepFreeze } from '../core/config/canonical.ts';
import type { Surroundings } from '../core/config/section.ts';
import type { ObservedGroup, ObservedTarget } from '../core/observed.ts';
import {
  type DirectorModel,
  type RealServer,
  type Service,
  type ServiceHealth,
  serverKey,
  serviceKey,
} from './model.ts';

/** A pure function. Parts that the observation does not change are the same objects as in `model`. */
export function effectiveDirectorModel(
  model: DirectorModel,
  { observed }: Pick<Surroundings, 'observed'>,
): DirectorModel {
  let isChanged = false;
  const services = model.services.map(service => {
    const needsLook = service.health !== undefined || service.servers.some(({ maintenance }) => maintenance === true);
    if (!needsLook) return service;
    const effective = effectiveService(service, observed.groups.get(serviceKey(service.identity)));
    isChanged ||= effective !== service;
    return effective;
  });
  return isChanged ? deepFreeze({ ...model, services }) : model;
}

interface Made {
  readonly group: ObservedGroup | undefined;
  readonly service: Service;
}

// An observation changes one group of thousands: for the others the same service comes out, as the same object.
const made = new WeakMap<Service, Made>();

function effectiveService(service: Service, group: ObservedGroup | undefined): Service {
  const known = made.get(service);
  if (known !== undefined && known.group === group) return known.service;
  const effective = deepFreeze(makeService(service, group));
  if (Object.isFrozen(service)) made.set(service, { group, service: effective });
  return effective;
}

/** A real server, and what is observed of it. */
interface Seen {
  readonly server: RealServer;
  readonly state: ObservedTarget | undefined;
}

function makeService(service: Service, group: ObservedGroup | undefined): Service {
  const { health, servers: configured, ...rest } = service;
  if (health === undefined) return { ...rest, servers: configured.map(plainServer) };
  const seen = configured.map(server => ({ server: plainServer(server), state: stateOf(server, health, group) }));
  switch (useOf(health, seen, group)) {
    case 'all':
      return { ...rest, servers: seen.map(each => (isDown(each) ? each.server : weighedServer(each))) };
    case 'healthy':
      return { ...rest, servers: without(seen, isDown, health) };
    case 'sorry':
      return {
        ...rest,
        servers: withSorry(
          without(seen, () => true, health),
          health.sorry,
        ),
      };
  }
}

/** What is observed of the server; before that, what the service says. Undefined: it is up. */
function stateOf(
  server: RealServer,
  health: ServiceHealth,
  group: ObservedGroup | undefined,
): ObservedTarget | undefined {
  if ((server.health ?? health).checks.length === 0) return undefined;
  return group?.targets.get(serverKey(server)) ?? (health.start === 'down' ? { health: 'down' } : undefined);
}

function isDown({ state }: Seen): boolean {
  return state?.health === 'down';
}

/** Which servers get flows. A server without weight gets none, whatever its health. */
function useOf(
  { sorry, sorryWhen, noneUp, panic }: ServiceHealth,
  seen: readonly Seen[],
  group: ObservedGroup | undefined,
): 'all' | 'healthy' | 'sorry' {
  const inService = seen.filter(({ server }) => server.weight > 0);
  const up = inService.filter(each => !isDown(each) && weighedServer(each).weight > 0);
  if (sorry !== null && (up.length === 0 || (sorryWhen === 'quorum_lost' && group?.quorum === 'down'))) return 'sorry';
  if (up.length === 0) return sorry === null && noneUp === 'all' ? 'all' : 'healthy';
  return (up.length / inService.length) * 100 < panic ? 'all' : 'healthy';
}

/** The server as the director knows it. Maintenance is a weight of 0. */
function plainServer(server: RealServer): RealServer {
  const { maintenance, health, ...plain } = server;
  if (maintenance === undefined && health === undefined) return server;
  return maintenance ? { ...plain, weight: 0 } : plain;
}

/** With the weight that a check has found, or the share of the weight during a slow start: 1 at least for a server that gets flows. */
function weighedServer({ server, state }: Seen): RealServer {
  if (state === undefined || server.weight === 0) return server;
  const full = state.weight ?? server.weight;
  const weight = full === 0 ? 0 : Math.max(1, Math.round(full * (state.share ?? 1)));
  return weight === server.weight ? server : { ...server, weight };
}

function without(seen: readonly Seen[], isOut: (each: Seen) => boolean, { onFailure }: ServiceHealth): RealServer[] {
  return seen.flatMap(each => {
    const server = weighedServer(each);
    if (!isOut(each)) return [server];
    // A server whose weight is 0 stays as it is.
    if (onFailure === 'remove') return [];
    return [server.weight === 0 ? server : { ...server, weight: 0 }];
  });
}

/** The sorry server may be one of the others, too, which then gets its weight back. */
function withSorry(servers: readonly RealServer[], sorry: RealServer | null): RealServer[] {
  if (sorry === null) return [...servers];
  const isThere = servers.some(server => serverKey(server) === serverKey(sorry));
  if (!isThere) return [...servers, sorry];
  return servers.map(server => (serverKey(server) === serverKey(sorry) ? { ...server, weight: sorry.weight } : server));
}
