// SPDX-License-Identifier: Apache-2.0
// A real server that is the balancer itself (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1). On live traffic its
// packets reach the host's stack as they came, in the modes that change nothing: dr and tunnel. What NAT translates has
// to come back to be translated again, and the host's own replies leave without passing the director (decision 17).
import { networkInterfaces } from 'node:os';
import { UsageError } from '../core/errors.ts';
import { type DirectorModel, serverKey, serviceKey } from './model.ts';

/** Throws where a real server of mode nat or fullnat is this host itself. */
export function refuseLocalNat(model: DirectorModel): void {
  const own = new Set(Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address)));
  for (const { identity, servers } of model.services) {
    for (const server of servers) {
      const isNat = server.mode === 'nat' || server.mode === 'fullnat';
      if (!isNat || !(own.has(server.address) || isLoopback(server.address))) continue;
      throw new UsageError(
        `a real server of ${serviceKey(identity)} is this host itself, which mode ${server.mode} cannot reach`,
        {
          value: serverKey(server),
          remedy:
            'use mode dr for it (ipvsadm: -g), give this host the virtual address (ip address add … dev lo), and let the ' +
            "program listen on the virtual address and the service's port",
        },
      );
    }
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
