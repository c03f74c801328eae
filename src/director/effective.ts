// SPDX-License-Identifier: Apache-2.0
// The model that the director runs: the configured model, corrected by what health checks have found. The order of
// services and of real servers stays as configured. So a server that comes back gets its old place. What services say
// about health is left out, so that the director has nothing to do when only that changes.
//
// Each weight comes with its reason, for those who ask (weight-findings.ts).
import { deepFreeze } from '../core/config/canonical.ts';
import { mapByDifference } from '../core/config/map-by-difference.ts';
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

/** Which services may run in another way than they are configured. */
const needsLook = mapByDifference(
  ({ health, servers }: Service) => health !== undefined || servers.some(({ maintenance }) => maintenance === true),
);

/** A pure function. Parts that the observation does not change are the same objects as in `model`. */
export function effectiveDirectorModel(
  model: DirectorModel,
  { observed }: Pick<Surroundings, 'observed'>,
): DirectorModel {
  const needed = needsLook(model.services);
  if (!needed.includes(true)) return model;
  let isChanged = false;
  const services = model.services.map((service, index) => {
    if (!needed[index]) return service;
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

/** Which servers get flows, and why not simply those that are up. */
export type Use =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'all'; readonly because: 'none_up' | 'panic' }
  | { readonly kind: 'sorry'; readonly because: 'none_up' | 'quorum_lost' };

/**
 * Why a real server has its weight.
 * - `configured`, `maintenance`: a person said so.
 * - `down`, `found`, `slow_start`: health checks did.
 * - `used_though_down`, `out_for_sorry`, `sorry`: it follows from the use of the service.
 */
export type WeightReason =
  | 'configured'
  | 'maintenance'
  | 'down'
  | 'found'
  | 'slow_start'
  | 'used_though_down'
  | 'out_for_sorry'
  | 'sorry';

export interface WeighedServer {
  readonly configured: RealServer;
  /** As the director runs it; undefined: it has left its service. */
  readonly effective: RealServer | undefined;
  readonly reason: WeightReason;
  readonly state: ObservedTarget | undefined;
}

export interface WeighedService {
  readonly use: Use;
  readonly servers: readonly WeighedServer[];
}

function makeService(service: Service, group: ObservedGroup | undefined): Service {
  const { health: _, ...rest } = service;
  const { servers } = weighService(service, group);
  return { ...rest, servers: servers.flatMap(({ effective }) => effective ?? []) };
}

/** A real server, and what is observed of it. */
interface Seen {
  readonly configured: RealServer;
  /** Without what the director does not know. */
  readonly server: RealServer;
  readonly state: ObservedTarget | undefined;
}

/** The servers of a service as the director runs them, each with the reason of its weight. */
export function weighService(service: Service, group: ObservedGroup | undefined): WeighedService {
  const { health } = service;
  const seen = service.servers.map(configured => ({
    configured,
    server: plainServer(configured),
    state: health && stateOf(configured, health, group),
  }));
  if (health === undefined) return { use: { kind: 'healthy' }, servers: seen.map(weighUp) };
  const use = useOf(health, seen, group);
  const servers = seen.map(each => {
    if (use.kind === 'sorry') return weighOut(each, health, 'out_for_sorry');
    if (!isDown(each)) return weighUp(each);
    return use.kind === 'all' ? weighUsed(each) : weighOut(each, health, 'down');
  });
  return { use, servers: use.kind === 'sorry' ? withSorry(servers, health.sorry) : servers };
}

/** It is down, and used all the same, unless its weight is 0 for another reason. */
function weighUsed(each: Seen): WeighedServer {
  return { ...each, effective: each.server, reason: each.server.weight === 0 ? reasonOf(each) : 'used_though_down' };
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

/** A server without weight gets no flows, whatever its health. */
function useOf(
  { sorry, sorryWhen, noneUp, panic }: ServiceHealth,
  seen: readonly Seen[],
  group: ObservedGroup | undefined,
): Use {
  const inService = seen.filter(({ server }) => server.weight > 0);
  const up = inService.filter(each => !isDown(each) && weighedServer(each).weight > 0);
  if (sorry !== null && up.length === 0) return { kind: 'sorry', because: 'none_up' };
  if (sorry !== null && sorryWhen === 'quorum_lost' && group?.quorum === 'down') {
    return { kind: 'sorry', because: 'quorum_lost' };
  }
  if (up.length === 0) return noneUp === 'all' ? { kind: 'all', because: 'none_up' } : { kind: 'healthy' };
  const percent = (up.length / inService.length) * 100;
  return percent < panic ? { kind: 'all', because: 'panic' } : { kind: 'healthy' };
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

function weighUp(each: Seen): WeighedServer {
  return { ...each, effective: weighedServer(each), reason: reasonOf(each) };
}

function reasonOf({ configured, server, state }: Seen): WeightReason {
  if (configured.maintenance) return 'maintenance';
  if (state === undefined || server.weight === 0) return 'configured';
  if ((state.share ?? 1) < 1) return 'slow_start';
  return state.weight === undefined ? 'configured' : 'found';
}

/** The server gets no flows. A server whose weight is 0 already stays as it is. */
function weighOut(each: Seen, { onFailure }: ServiceHealth, why: WeightReason): WeighedServer {
  const server = weighedServer(each);
  const reason = server.weight === 0 ? reasonOf(each) : why;
  if (onFailure === 'remove') return { ...each, effective: undefined, reason };
  return { ...each, effective: server.weight === 0 ? server : { ...server, weight: 0 }, reason };
}

/** The sorry server may be one of the others, too, which then gets its weight back. */
function withSorry(servers: readonly WeighedServer[], sorry: RealServer | null): readonly WeighedServer[] {
  if (sorry === null) return servers;
  const isSorry = ({ effective }: WeighedServer): boolean =>
    effective !== undefined && serverKey(effective) === serverKey(sorry);
  if (!servers.some(isSorry)) {
    return [...servers, { configured: sorry, effective: sorry, reason: 'sorry', state: undefined }];
  }
  return servers.map(each =>
    isSorry(each) && each.effective !== undefined
      ? { ...each, effective: { ...each.effective, weight: sorry.weight }, reason: 'sorry' as const }
      : each,
  );
}
