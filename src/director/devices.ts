// SPDX-License-Identifier: Apache-2.0
import { networkInterfaces } from 'node:os';

/**
 * The network devices to forward between where none is named: all that have an address, but the loopback. One of the
 * link alone is none: every device has it that is up, those that belong to a bridge too.
 */
export function defaultDevices(interfaces = networkInterfaces()): string[] {
  return Object.entries(interfaces)
    .filter(([, addresses]) => addresses?.some(({ internal, address }) => !internal && !isLinkLocal(address)))
    .map(([name]) => name);
}

/** fe80::/10 */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
