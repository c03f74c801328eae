// SPDX-License-Identifier: Apache-2.0
// A real server that is the balancer itself (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1). The modes dr and
// tunnel reach it by any address of the host. NAT and FULLNAT do not translate to a loopback address, as the kernel
// does not: what comes from outside never goes there (decision 17).
import { mapByDifference } from '../core/config/map-by-difference.ts';
import { UsageError } from '../core/errors.ts';
import { type DirectorModel, type Service, serverKey, serviceKey } from './model.ts';

/** Throws where a real server of mode nat or fullnat has a loopback address. */
export function refuseLoopbackNat({ services }: DirectorModel): void {
  const refused = unreachable(services);
  const at = refused.findIndex(server => server !== undefined);
  const [service, server] = [services[at], refused[at]];
  if (service === undefined || server === undefined) return;
  throw new UsageError(
    `a real server of ${serviceKey(service.identity)} has a loopback address, which mode ${server.mode} cannot reach`,
    {
      value: serverKey(server),
      remedy:
        'use another address of this host; or mode dr (ipvsadm: -g), where this host has the virtual address ' +
        "(ip address add … dev lo) and the program listens on it, at the service's port",
    },
  );
}

/** The first such server of each service. */
const unreachable = mapByDifference(({ servers }: Service) =>
  servers.find(({ mode, address }) => (mode === 'nat' || mode === 'fullnat') && isLoopback(address)),
);

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
