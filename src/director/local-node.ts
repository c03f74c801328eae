// SPDX-License-Identifier: Apache-2.0
// A real server that is the balancer itself (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1). The modes dr and
// tunnel reach it by any address of the host. NAT and FULLNAT do not translate to a loopback address, as the kernel
// does not: what comes from outside never goes there (decision 17).
import { UsageError } from '../core/errors.ts';
import { type DirectorModel, serverKey, serviceKey } from './model.ts';

/** Throws where a real server of mode nat or fullnat has a loopback address. */
export function refuseLoopbackNat(model: DirectorModel): void {
  for (const { identity, servers } of model.services) {
    for (const server of servers) {
      const isNat = server.mode === 'nat' || server.mode === 'fullnat';
      if (!isNat || !isLoopback(server.address)) continue;
      throw new UsageError(
        `a real server of ${serviceKey(identity)} has a loopback address, which mode ${server.mode} cannot reach`,
        {
          value: serverKey(server),
          remedy:
            'use another address of this host; or mode dr (ipvsadm: -g), where this host has the virtual address ' +
            "(ip address add … dev lo) and the program listens on it, at the service's port",
        },
      );
    }
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
