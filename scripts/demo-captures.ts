// SPDX-License-Identifier: Apache-2.0
// Makes the captures of examples/demo/: the packets that a director receives from clients and from servers.
import { join } from 'node:path';
import { CaptureWriter } from '../src/capture/capture-writer.ts';
import * as wire from '../src/wire/packet-builder.ts';
import { projectRoot, startScript } from '../tools/command.ts';

const usage = `
Usage: npx tsx scripts/demo-captures.ts [FOLDER]

Writes client.pcapng and servers.pcap of the demo to FOLDER, examples/demo unless given. The bytes are always the same.
`;

const client = '10.0.1.2';
const vip = '10.0.1.100';
const fromClient = wire.ethernet({ source: '02:00:00:00:01:02', destination: '02:00:00:00:01:01' });
const fromServer = (last: string) =>
  wire.ethernet({ source: `02:00:00:00:02:${last}`, destination: '02:00:00:00:02:01' });

interface Moment {
  readonly port: 'client' | 'servers';
  readonly comment: string;
  readonly frame: Uint8Array;
}

const moment = (port: Moment['port'], comment: string, frame: Uint8Array): Moment => ({ port, comment, frame });

function syn(sourcePort: number, destination: string, destinationPort: number): Uint8Array {
  return wire.buildFrame(
    fromClient,
    wire.ipv4({ source: client, destination, dontFragment: true }),
    wire.tcp({ sourcePort, destinationPort, flags: 'S', sequence: 1000 }),
  );
}

const dnsQuery = (id: number) =>
  wire.hex(`${id.toString(16)} 0100 0001 0000 0000 0000 03777777076578616d706c6503636f6d00 0001 0001`);

/** The first and the second half of a datagram to the service for DNS. */
function fragments(): [Uint8Array, Uint8Array] {
  const datagram = wire.buildPacket(
    wire.ipv4({ source: client, destination: vip }),
    wire.udp({ sourcePort: 5001, destinationPort: 53 }),
    wire.payload(new Uint8Array(2000)),
  );
  const [half, header] = [1480, 20];
  const fields = { source: client, destination: vip, id: 7, protocol: wire.protocols.udp };
  return [
    wire.buildFrame(
      fromClient,
      wire.ipv4({ ...fields, moreFragments: true }),
      datagram.subarray(header, header + half),
    ),
    wire.buildFrame(fromClient, wire.ipv4({ ...fields, fragmentOffset: half }), datagram.subarray(header + half)),
  ];
}

function timeExceeded(): Uint8Array {
  const quoted = wire.buildPacket(
    wire.ipv4({ source: client, destination: '10.0.2.11', ttl: 1, dontFragment: true }),
    wire.tcp({ sourcePort: 40003, destinationPort: 8080, flags: 'S', sequence: 1000 }),
  );
  return wire.buildFrame(
    fromServer('fe'),
    wire.ipv4({ source: '10.0.2.254', destination: client }),
    wire.timeExceeded(),
    quoted.subarray(0, 28),
  );
}

function story(): Moment[] {
  const web = { source: client, destination: vip, dontFragment: true };
  const reply = { source: '10.0.2.13', destination: client, dontFragment: true };
  const ports = { sourcePort: 40001, destinationPort: 80 };
  const back = { sourcePort: 8080, destinationPort: 40001 };
  const request = 'GET / HTTP/1.1\r\nHost: example.com\r\n\r\n';
  const [firstFragment, laterFragment] = fragments();
  const web6 = { source: '2001:db8:1::2', destination: '2001:db8:1::100' };
  const reply6 = { source: '2001:db8:2::11', destination: '2001:db8:1::2' };
  return [
    moment(
      'client',
      'who has the virtual address?',
      wire.buildFrame(
        wire.ethernet({ source: '02:00:00:00:01:02', destination: 'ff:ff:ff:ff:ff:ff' }),
        wire.arp({ senderMac: '02:00:00:00:01:02', sender: client, target: vip }),
      ),
    ),
    moment('client', 'NAT: the scheduler chooses', syn(40001, vip, 80)),
    moment('client', 'NAT: another server', syn(40002, vip, 80)),
    moment('client', 'NAT: and another', syn(40003, vip, 80)),
    moment(
      'servers',
      'NAT: the way back',
      wire.buildFrame(
        fromServer('13'),
        wire.ipv4(reply),
        wire.tcp({ ...back, flags: 'SA', sequence: 9000, acknowledgement: 1001 }),
      ),
    ),
    moment(
      'client',
      'NAT: established',
      wire.buildFrame(
        fromClient,
        wire.ipv4(web),
        wire.tcp({ ...ports, flags: 'A', sequence: 1001, acknowledgement: 9001 }),
      ),
    ),
    moment(
      'client',
      'NAT: data',
      wire.buildFrame(
        fromClient,
        wire.ipv4(web),
        wire.tcp({ ...ports, flags: 'PA', sequence: 1001, acknowledgement: 9001 }),
        request,
      ),
    ),
    moment(
      'client',
      'DR: only the MAC address changes',
      wire.buildFrame(
        fromClient,
        wire.ipv4({ source: client, destination: vip }),
        wire.udp({ sourcePort: 5000, destinationPort: 53 }),
        dnsQuery(4660),
      ),
    ),
    moment('client', 'a first fragment', firstFragment),
    moment('client', 'a later fragment has no ports', laterFragment),
    moment('client', 'tunnel: IP in IP', syn(40010, '10.0.1.101', 443)),
    moment(
      'client',
      'tunnel: too big with 20 bytes more',
      wire.buildFrame(
        fromClient,
        wire.ipv4({ source: client, destination: '10.0.1.101', dontFragment: true }),
        wire.tcp({ sourcePort: 40010, destinationPort: 443, flags: 'A', sequence: 1001 }),
        wire.payload(1460),
      ),
    ),
    moment('client', 'FULLNAT: source and destination change', syn(40020, '10.0.1.102', 443)),
    moment('servers', 'an ICMP error about the third SYN', timeExceeded()),
    moment('client', 'nobody serves', syn(40030, '10.0.1.103', 80)),
    moment('client', 'no such service', syn(40040, vip, 8080)),
    moment(
      'client',
      'ping',
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip }), wire.echoRequest(), 'ping'),
    ),
    moment(
      'client',
      'IPv6',
      wire.buildFrame(
        fromClient,
        wire.ipv6(web6),
        wire.tcp({ sourcePort: 40050, destinationPort: 80, flags: 'S', sequence: 1000 }),
      ),
    ),
    moment(
      'servers',
      'IPv6: the way back',
      wire.buildFrame(
        fromServer('11'),
        wire.ipv6(reply6),
        wire.tcp({ sourcePort: 8080, destinationPort: 40050, flags: 'SA', sequence: 9000, acknowledgement: 1001 }),
      ),
    ),
    moment(
      'client',
      'cut on the way',
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip, totalLength: 400 }), wire.tcp(ports)),
    ),
  ];
}

// 2024-01-01 00:00:00 UTC, and a packet every 10 ms.
const start = 1_704_067_200_000_000_000n;
const interval = 10_000_000n;

export function writeDemoCaptures(folder: string): void {
  const writers = {
    client: new CaptureWriter(join(folder, 'client.pcapng'), { format: 'pcapng' }),
    servers: new CaptureWriter(join(folder, 'servers.pcap'), { format: 'pcap', precision: 'microsecond' }),
  };
  writers.client.addInterface('c0');
  for (const [index, { port, comment, frame }] of story().entries()) {
    const packet = { time: start + BigInt(index) * interval, bytes: frame };
    writers[port].write(port === 'client' ? { ...packet, comment } : packet);
  }
  for (const writer of Object.values(writers)) writer.close();
}

await startScript(import.meta.url, usage, ([folder]) =>
  writeDemoCaptures(folder ?? join(projectRoot, 'examples/demo')),
);
