// SPDX-License-Identifier: Apache-2.0
// What the director wants checked: each service that says so is a group, and its real servers are the targets. Servers
// that are out for maintenance are checked as well, so that a person sees when they work again.
import { mapByDifference } from '../core/config/map-by-difference.ts';
import { oncePerValue } from '../core/config/once.ts';
import type { CheckedGroup, CheckedTarget, TrafficWay } from '../core/observed.ts';
import { type RealServer, type ServerHealth, type Service, serverKey, serviceKey } from './model.ts';

export const checkedServices = oncePerValue((services: readonly Service[]): readonly CheckedGroup[] =>
  checkedGroups(services).filter(group => group !== undefined),
);

const checkedService = oncePerValue((service: Service): CheckedGroup | undefined => {
  const { health } = service;
  if (health === undefined) return undefined;
  const { quorum, hysteresis, slowStart, start } = health;
  const targets = service.servers.map(server => checkedServer(service, server, server.health ?? health));
  return Object.freeze({ key: serviceKey(service.identity), targets, quorum, hysteresis, slowStart, start });
});

const checkedGroups = mapByDifference(checkedService);

function checkedServer(service: Service, server: RealServer, { checks, need }: ServerHealth): CheckedTarget {
  const sum = checks.reduce((total, { weight }) => total + weight, 0);
  const way = wayTo(service, server);
  const least = checks.length === 0 ? 0 : Math.min(...checks.map(({ weight }) => weight));
  return {
    key: serverKey(server),
    address: server.address,
    port: server.port,
    weight: server.maintenance ? 0 : server.weight,
    checks,
    ...(way !== undefined && { way }),
    need: need === 'all' ? sum : need === 'any' ? least : need,
  };
}

/** Nothing for a service by mark, which has no address that a client asks for. */
function wayTo({ identity }: Service, { mode, tunnel }: RealServer): TrafficWay | undefined {
  if ('mark' in identity || mode === 'nat' || mode === 'fullnat') return undefined;
  const { address, port } = identity;
  const wrapping = tunnel?.type ?? 'none';
  return {
    service: { address, port },
    wrapping,
    port: tunnel?.port ?? 0,
    checksum: (tunnel?.checksum ?? 'none') !== 'none',
  };
}
