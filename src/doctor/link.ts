// SPDX-License-Identifier: Apache-2.0
// A network device, as ip(8) knows it.
import type { Host } from './host.ts';

/** What `ip -json -stats -stats link show` says of a device. It knows the devices of the network namespace; /sys does not. */
export interface Link {
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly stats64?: { readonly rx: Readonly<Record<string, number>> };
}

/** Undefined where there is no such device. */
export function linkOf(host: Host, device: string): Link | undefined {
  const [link] = JSON.parse(host.run('ip', ['-json', '-stats', '-stats', 'link', 'show', 'dev', device]) || '[]');
  return link;
}
