// SPDX-License-Identifier: Apache-2.0
// The frames of the golden cases: the content of each capture in-ORDER-PORT.* of a case.
import { CaptureWriter } from '../../../src/capture/capture-writer.ts';
import * as wire from '../../../src/wire/packet-builder.ts';

interface Moment {
  /** Nanoseconds after the case's beginning. */
  readonly at: bigint;
  readonly frame: Uint8Array;
  /** The frame's length on the wire, if the capture has less of it. */
  readonly originalLength?: number;
}

export interface CaseCapture {
  readonly file: string;
  readonly precision: 'microsecond' | 'nanosecond';
  readonly packets: readonly Moment[];
}

const millisecond = 1_000_000n;
const second = 1_000_000_000n;
/** 2024-01-01 00:00:00 UTC. */
const beginning = 1_704_067_200n * second;

const client = '10.0.1.2';
/** The only address of the case's pool. */
const localPort = 20000;
const vip = '10.0.1.100';
const fromClient = wire.ethernet({ source: '02:00:00:00:01:02', destination: '02:00:00:00:01:01' });
const fromServer = wire.ethernet({ source: '02:00:00:00:02:11', destination: '02:00:00:00:02:01' });

const request = (flags: string, fields: wire.TcpFields = {}, content = '') =>
  wire.buildFrame(
    fromClient,
    wire.ipv4({ source: client, destination: vip, dontFragment: true }),
    wire.tcp({ sourcePort: 40000, destinationPort: 80, flags, ...fields }),
    content,
  );
const reply = (server: string, flags: string, fields: wire.TcpFields = {}, content = '') =>
  wire.buildFrame(
    fromServer,
    wire.ipv4({ source: server, destination: client, dontFragment: true }),
    wire.tcp({ sourcePort: 8080, destinationPort: 40000, flags, ...fields }),
    content,
  );
const fullnatReply = (flags: string, fields: wire.TcpFields = {}, content = '') =>
  wire.buildFrame(
    fromServer,
    wire.ipv4({ source: '10.0.2.11', destination: '10.0.2.200', dontFragment: true }),
    wire.tcp({ sourcePort: 8080, destinationPort: localPort, flags, ...fields }),
    content,
  );
const query = (source: string, sourcePort: number) =>
  wire.buildFrame(
    fromClient,
    wire.ipv4({ source, destination: vip }),
    wire.udp({ sourcePort, destinationPort: 53 }),
    'query',
  );

/** A connection from its first packet to its last, seen on both sides; stamps that are equal on both. */
const connection: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 0n, frame: request('S', { sequence: 100 }) },
      { at: 2n * millisecond, frame: request('A', { sequence: 101, acknowledgement: 501 }) },
      { at: 3n * millisecond, frame: request('PA', { sequence: 101, acknowledgement: 501 }, 'GET /\r\n') },
      { at: 5n * millisecond, frame: request('FA', { sequence: 108, acknowledgement: 506 }) },
      { at: 7n * millisecond, frame: request('A', { sequence: 109, acknowledgement: 507 }) },
    ],
  },
  {
    file: 'in-2-s0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 1n * millisecond, frame: reply('10.0.2.12', 'SA', { sequence: 500, acknowledgement: 101 }) },
      { at: 3n * millisecond, frame: reply('10.0.2.12', 'PA', { sequence: 501, acknowledgement: 108 }, 'hello') },
      { at: 6n * millisecond, frame: reply('10.0.2.12', 'FA', { sequence: 506, acknowledgement: 109 }) },
    ],
  },
];

/** `--set 900 120 5`: a UDP flow is there after four seconds and gone after nine more; a year makes no difference. */
const timeouts: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'nanosecond',
    packets: [
      { at: 0n, frame: query(client, 5000) },
      { at: 4n * second + 1n, frame: query(client, 5000) },
      { at: 13n * second + 1n, frame: query(client, 5000) },
      { at: 365n * 86_400n * second, frame: query(client, 5000) },
    ],
  },
];

/** Clients of one network stay with one server; the stamps of a capture run backwards once, one frame is cut short. */
const persistence: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'nanosecond',
    packets: [
      { at: 10n, frame: query(client, 5000) },
      { at: 20n, frame: query('10.0.1.3', 5001) },
      { at: 15n, frame: query('10.0.3.2', 5002) },
      { at: 30n, frame: query('10.0.3.2', 5003) },
      { at: 40n, frame: query(client, 5004).subarray(0, 40), originalLength: 60 },
    ],
  },
];

/** Wrong headers: each frame is dropped with a reason, and the replay goes on. */
const badInput: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      new Uint8Array(0),
      new Uint8Array(13).fill(0xff),
      request('S').subarray(0, 30),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip, version: 5 }), wire.tcp({})),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip, headerWords: 4 }), wire.tcp({})),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip, totalLength: 1000 }), wire.tcp({})),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip, checksum: 1 }), wire.tcp({})),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip }), wire.tcp({ headerWords: 3 })),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip }), wire.udp({ length: 4 })),
      wire.buildFrame(fromClient, wire.ipv4({ source: client, destination: vip, protocol: 200 }), 'unknown'),
      wire.buildFrame(wire.ethernet({ type: 0x88cc }), 'LLDP'),
      request('S', { sourcePort: 41000 }),
    ].map((frame, index) => ({ at: BigInt(index) * millisecond, frame })),
  },
];

const call = (destination: string) =>
  wire.buildFrame(
    fromServer,
    wire.ipv4({ source: '10.0.2.11', destination }),
    wire.udp({ sourcePort: 5000, destinationPort: 123 }),
    'time?',
  );
const answer = (source: string, destinationPort: number) =>
  wire.buildFrame(
    wire.ethernet({ destination: '02:00:00:00:01:01' }),
    wire.ipv4({ source, destination: '192.0.2.100' }),
    wire.udp({ sourcePort: 123, destinationPort }),
    'noon',
  );

/** A pool of one port serves every destination once; answers find their way back, others are dropped. */
const egress: readonly CaseCapture[] = [
  {
    file: 'in-1-s0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 0n, frame: call('203.0.113.1') },
      { at: 2n * millisecond, frame: call('203.0.113.2') },
    ],
  },
  {
    file: 'in-2-c0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 1n * millisecond, frame: answer('203.0.113.1', 20000) },
      { at: 3n * millisecond, frame: answer('203.0.113.2', 20000) },
      { at: 4n * millisecond, frame: answer('203.0.113.3', 20000) },
    ],
  },
];

/** FULLNAT: both ends of each packet change, and the reply finds its way back by the local port. */
const fullnat: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 0n, frame: request('S', { sequence: 100 }) },
      { at: 2n * millisecond, frame: request('A', { sequence: 101, acknowledgement: 501 }) },
      { at: 3n * millisecond, frame: request('PA', { sequence: 101, acknowledgement: 501 }, 'GET /') },
    ],
  },
  {
    file: 'in-2-s0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 1n * millisecond, frame: fullnatReply('SA', { sequence: 500, acknowledgement: 101 }) },
      { at: 4n * millisecond, frame: fullnatReply('PA', { sequence: 501, acknowledgement: 106 }, 'hello') },
    ],
  },
];

/** Services by firewall mark: the first rule of the net that fits a packet gives its mark. */
const marks: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      request('S', { destinationPort: 80 }),
      request('S', { destinationPort: 443 }),
      request('S', { destinationPort: 8081 }),
      request('S', { destinationPort: 22 }),
      query(client, 5000),
      wire.buildFrame(
        fromClient,
        wire.ipv4({ source: '10.0.1.3', destination: vip }),
        wire.tcp({ sourcePort: 1, destinationPort: 80, flags: 'S' }),
      ),
    ].map((frame, index) => ({ at: BigInt(index) * millisecond, frame })),
  },
];

/** Frames that a host had merged or not yet segmented: NAT passes them whole, a tunnel cuts them into segments. */
const offloads: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 0n, frame: request('S', { sequence: 100 }) },
      { at: 1n * millisecond, frame: request('PA', { sequence: 101, acknowledgement: 1 }, 'x'.repeat(3000)) },
      { at: 2n * millisecond, frame: request('S', { sequence: 100, destinationPort: 81 }) },
      {
        at: 3n * millisecond,
        frame: request('PA', { sequence: 101, acknowledgement: 1, destinationPort: 81 }, 'x'.repeat(3000)),
      },
    ],
  },
];

/** The sequence number of the director's SYN-ACK, which follows from the seed and the time of the case. */
const cookie = 469_734_462;

/** The SYN proxy and a real server that never answers: SYNs by the timer, each at its own time, then a reset. */
const silentServer: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 0n, frame: request('S', { sequence: 100 }) },
      { at: 10n * millisecond, frame: request('A', { sequence: 101, acknowledgement: cookie + 1 }) },
      { at: 5n * second, frame: request('A', { sequence: 100, acknowledgement: cookie + 1 }) },
      { at: 20n * second, frame: request('A', { sequence: 100, acknowledgement: cookie + 1 }) },
    ],
  },
];

/** PROXY v2: a silent client, a real server that first misses the header and then gets it, and data of both after that. */
const proxyProtocol: readonly CaseCapture[] = [
  {
    file: 'in-1-c0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 0n, frame: request('S', { sequence: 100 }) },
      { at: 2n * millisecond, frame: request('A', { sequence: 101, acknowledgement: 501 }) },
      { at: 610n * millisecond, frame: request('PA', { sequence: 101, acknowledgement: 506 }, 'GET /') },
    ],
  },
  {
    file: 'in-2-s0.pcap',
    precision: 'microsecond',
    packets: [
      { at: 1n * millisecond, frame: fullnatReply('SA', { sequence: 500, acknowledgement: 101 }) },
      { at: 3n * millisecond, frame: fullnatReply('A', { sequence: 501, acknowledgement: 101 }) },
      { at: 600n * millisecond, frame: fullnatReply('PA', { sequence: 501, acknowledgement: 129 }, 'hello') },
      { at: 620n * millisecond, frame: fullnatReply('A', { sequence: 506, acknowledgement: 134 }) },
    ],
  },
];

export const captures: Readonly<Record<string, readonly CaseCapture[]>> = {
  connection,
  timeouts,
  persistence,
  egress,
  fullnat,
  'proxy-protocol': proxyProtocol,
  marks,
  offloads,
  'silent-server': silentServer,
  'bad-input': badInput,
};

export function writeCapture({ precision, packets }: CaseCapture, path: string): void {
  const writer = new CaptureWriter(path, { format: 'pcap', precision });
  for (const { at, frame, originalLength } of packets) {
    writer.write({ time: beginning + at, bytes: frame, originalLength });
  }
  writer.close();
}
