// SPDX-License-Identifier: Apache-2.0
// dnsmasq as the DNS server, dig as the client. Of the DNS servers in Debian, dnsmasq-base is the only one whose
// installation starts no service on the machine.
import type { ServiceDescription } from '../topology/description.ts';
import type { Host } from '../topology/host.ts';

/** The server answers TXT queries for who.example with its own name. */
export function dnsServer(name: string): ServiceDescription {
  return {
    name: 'dnsmasq',
    command: [
      ...(['dnsmasq', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--conf-file=/dev/null'] as const),
      ...['--user=root', '--pid-file=', '--log-facility=-'],
      ...[`--txt-record=who.example,${name}`],
    ],
    ready: { listens: 'udp:53' },
  };
}

/** Asks over `transport` and returns the name of the server that answers. */
export async function whoAnswers(client: Host, address: string, transport: 'udp' | 'tcp'): Promise<string> {
  const words = ['+short', '+tries=2', '+time=2', transport === 'tcp' ? '+tcp' : '+notcp'];
  const printed = await client.must(['dig', `@${address}`, ...words, 'who.example', 'TXT']);
  return printed.trim().replaceAll('"', '');
}
