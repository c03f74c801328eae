// SPDX-License-Identifier: Apache-2.0
// What a tunnel costs of a packet's room.
import { familyOf, type RealServer, type Tunnel } from './model.ts';

/** Bytes of the headers that the director puts in front of a packet. */
export function tunnelOverhead({ type, checksum }: Tunnel, address: RealServer['address']): number {
  const outer = familyOf(address) === 6 ? 40 : 20;
  if (type === 'ipip') return outer;
  if (type === 'gre') return outer + (checksum === 'full' ? 8 : 4);
  return outer + 8 + (checksum === 'remote' ? 12 : 4);
}
