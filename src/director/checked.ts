// SPDX-License-Identifier: Apache-2.0
// What the director wants checked: each service that says so is a group, and its real servers are the targets. Servers
// that are out for maintenance are checked as well, so that a person sees when they work again.
import { mapByDifference } from '../core/config/map-by-difference.ts';
import { oncePerValue } from '../core/config/once.ts';
import type { CheckedGroup, CheckedTarget } from '../core/observed.ts';
import { type RealServer, type ServerHealth, type Service, serverKey, serviceKey } from './model.ts';

export const checkedServices = oncePerValue((services: readonly Service[]): readonly CheckedGroup[] =>
  checkedGroups(services).filter(group => group !== undefined),
);

const checkedService = oncePerValue((service: Service): CheckedGroup | undefined => {
  const { health } = service;
  if (health === undefined) return undefined;
  const { quorum, hysteresis, slowStart, start } = health;
  const targets = service.servers.map(server => checkedServer(server, server.health ?? health));
  return Object.freeze({ key: serviceKey(service.identity), targets, quorum, hysteresis, slowStart, start });
});

const checkedGroups = mapByDifference(checkedService);

function checkedServer(server: RealServer, { checks, need }: ServerHealth): CheckedTarget {
  const sum = checks.reduce((total, { weight }) => total + weight, 0);
  const least = checks.length === 0 ? 0 : Math.min(...checks.map(({ weight }) => weight));
  return {
    key: serverKey(server),
    address: server.address,
    port: server.port,
    weight: server.maintenance ? 0 : server.weight,
    checks,
    need: need === 'all' ? sum : need === 'any' ? least : need,
  };
}
