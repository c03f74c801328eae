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

function makeService(service: Service, group: ObservedGroup | undefined): Service {
  const { health, servers: configured, ...rest } = service;
  const servers = configured.map(plainServer);
  if (health === undefined) return { ...rest, servers };
  const states = configured.map(server => group?.targets.get(serverKey(server)));
  const weighted = servers.map((server, index) => weighedServer(server, states[index]));
  const up = configured.filter((server, index) => !server.maintenance && states[index]?.health !== 'down').length;
  const inService = configured.filter(({ maintenance }) => !maintenance).length;
  switch (useOf(health, { up, inService, group })) {
    case 'all':
      return { ...rest, servers };
    case 'sorry':
      return {
        ...rest,
        servers: [...out(weighted, () => true, health), ...(health.sorry === null ? [] : [health.sorry])],
      };
    case 'healthy':
      return { ...rest, servers: out(weighted, index => states[index]?.health === 'down', health) };
  }
}

/** Which servers get flows. */
function useOf(
  { sorry, sorryWhen, noneUp, panic }: ServiceHealth,
  { up, inService, group }: { up: number; inService: number; group: ObservedGroup | undefined },
): 'all' | 'healthy' | 'sorry' {
  if (sorry !== null && (up === 0 || (sorryWhen === 'quorum_lost' && group?.quorum === 'down'))) return 'sorry';
  if (up === 0) return sorry === null && noneUp === 'all' ? 'all' : 'healthy';
  return (up / inService) * 100 < panic ? 'all' : 'healthy';
}

/** The server as the director knows it. Maintenance is a weight of 0. */
function plainServer(server: RealServer): RealServer {
  const { maintenance, health, ...plain } = server;
  if (maintenance === undefined && health === undefined) return server;
  return maintenance ? { ...plain, weight: 0 } : plain;
}

/** The weight that a check has found, or the share of the weight during a slow start; never less than 1 for a server that gets flows. */
function weighedServer(server: RealServer, state: ObservedTarget | undefined): RealServer {
  if (state === undefined || server.weight === 0) return server;
  const full = state.weight ?? server.weight;
  const weight = full === 0 ? 0 : Math.max(1, Math.round(full * (state.share ?? 1)));
  return weight === server.weight ? server : { ...server, weight };
}

function out(
  servers: readonly RealServer[],
  isOut: (index: number) => boolean,
  { onFailure }: ServiceHealth,
): RealServer[] {
  if (onFailure === 'remove') return servers.filter((_server, index) => !isOut(index));
  // A server whose weight is 0 stays as it is.
  return servers.map((server, index) => (isOut(index) && server.weight !== 0 ? { ...server, weight: 0 } : server));
}
