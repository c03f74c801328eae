// SPDX-License-Identifier: Apache-2.0
// iperf3 between a client and a server. It opens a control connection first, so a balancer must send both connections to
// the same server: the service has one server, or persistence.
import type { ServiceDescription } from '../topology/description.ts';
import type { Host } from '../topology/host.ts';

export const iperfPort = 5201;

export const iperfServer: ServiceDescription = {
  name: 'iperf3',
  command: ['iperf3', '--server', '--forceflush'],
  ready: { listens: `tcp:${iperfPort}` },
};

export interface IperfOptions {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly seconds: number;
  /** Rate at which UDP is sent. */
  readonly megabits?: number;
}

export interface IperfResult {
  /** Rate at the receiver. */
  readonly megabits: number;
  /** Datagrams that were lost; UDP only. */
  readonly lostPercent: number;
}

export async function iperf(client: Host, address: string, options: IperfOptions): Promise<IperfResult> {
  const { protocol, seconds, megabits = 100 } = options;
  const words = { tcp: [], sctp: ['--sctp'], udp: ['--udp', '--bitrate', `${megabits}M`, '--length', '1200'] };
  const printed = await client.must([
    ...(['iperf3', '--json', '--client', address, '--time', String(seconds)] as const),
    ...words[protocol],
  ]);
  const { end } = JSON.parse(printed);
  const received = end.sum_received ?? end.sum;
  return { megabits: received.bits_per_second / 1e6, lostPercent: received.lost_percent ?? end.sum?.lost_percent ?? 0 };
}
