// SPDX-License-Identifier: Apache-2.0
// What the running director can be asked, without the code that answers (answers.ts). The command line takes its types
// from here.
import Type from 'typebox';
import { parametersSchema, route } from '../core/api/route.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });

const endpoint = Type.Object({ address: Type.String(), port: Type.Integer() });

/** Of a service or a server, since the beginning, or a second. */
const countersSchema = (unit: string) =>
  Type.Object(
    {
      connections: Type.Number(),
      packetsIn: Type.Number(),
      packetsOut: Type.Number(),
      bytesIn: Type.Number(),
      bytesOut: Type.Number(),
    },
    { description: unit },
  );

const counters = countersSchema('Since the service was added');
const rates = countersSchema('A second, between two looks');

const serverSchema = Type.Object({
  address: Type.String(),
  port: Type.Integer({ description: '0: the port that the packet was sent to' }),
  mode: Type.Enum(['nat', 'fullnat', 'dr', 'tunnel']),
  tunnel: Type.Union([
    Type.Object({
      type: Type.Enum(['ipip', 'gue', 'gre']),
      port: Type.Integer(),
      checksum: Type.Enum(['none', 'full', 'remote']),
    }),
    Type.Null(),
  ]),
  weight: Type.Integer(),
  upperThreshold: Type.Integer(),
  lowerThreshold: Type.Integer(),
  active: count('Connections that are established'),
  inactive: count('Other connections'),
  persistent: count('Clients that are kept on this server'),
  counters,
  rates,
});

const serviceSchema = Type.Object({
  identity: Type.Union([
    Type.Object({ protocol: Type.Enum(['tcp', 'udp', 'sctp']), address: Type.String(), port: Type.Integer() }),
    Type.Object({ mark: Type.Integer(), family: Type.Enum([4, 6]) }),
  ]),
  scheduler: Type.String(),
  flags: Type.Array(Type.String()),
  persistence: Type.Union([
    Type.Object({ timeout: Type.Integer({ description: 'Seconds' }), netmask: Type.String() }),
    Type.Null(),
  ]),
  onePacket: Type.Boolean({ description: 'UDP: every packet is scheduled on its own' }),
  pool: Type.Union([Type.String(), Type.Null()], { description: 'FULLNAT: the pool of local addresses' }),
  clientAddress: Type.Enum(['none', 'toa']),
  proxyProtocol: Type.Enum(['none', 'v2']),
  synProxy: Type.Enum(['off', 'on', 'auto']),
  sourceLimit: Type.Union([
    Type.Object({ rate: Type.Integer(), burst: Type.Integer(), prefix: Type.Integer() }),
    Type.Null(),
  ]),
  counters,
  rates,
  servers: Type.Array(serverSchema, { description: 'The oldest first' }),
});

const servicesSchema = Type.Array(serviceSchema);

const portSchema = Type.Object({
  name: Type.String({ description: 'As the configuration calls it' }),
  device: Type.String({ description: 'The network device' }),
  type: Type.Enum(['packet', 'xdp-copy', 'xdp-zero-copy'], {
    description: 'What it is: a packet ring also where AF_XDP was asked for and is not available',
  }),
  up: Type.Boolean(),
  mac: Type.String(),
  mtu: Type.Integer(),
  addresses: Type.Array(Type.String()),
  received: count('Frames'),
  receivedBytes: count('Bytes'),
  transmitted: count('Frames'),
  transmittedBytes: count('Bytes'),
  kernelDrops: count('Frames that found no room in a ring: the worker was too slow'),
  unreadable: count('Frames that could not be read'),
  sendFailures: count('Frames that could not be sent'),
});

const verdict = Type.Enum(['forward', 'drop', 'pass', 'consume']);

/** What a decision was about. */
const parties = {
  service: Type.Optional(Type.String({ description: 'The virtual service, as "tcp 10.0.1.100:80"' })),
  server: Type.Optional(Type.String({ description: 'The real server, as "10.0.2.11:8080"' })),
  mode: Type.Optional(Type.String({ description: 'How it forwards' })),
};

const serviceName = (description: string) =>
  Type.Optional(Type.String({ description, examples: ['tcp 10.0.1.100:80'] }));
const address = (description: string) => Type.Optional(Type.String({ description, examples: ['10.0.1.2'] }));

export const directorStatus = route({
  method: 'GET',
  path: '/director/status',
  summary: 'Ports, services with their servers, and packets by reason',
  parameters: parametersSchema({}),
  answer: Type.Object({
    workers: Type.Integer({ minimum: 1, description: 'Threads that forward' }),
    stealing: Type.String({ description: "How packets are kept from the host's stack: tcx, clsact or nftables" }),
    notices: Type.Array(Type.String(), { description: 'What had to be done in a lesser way, and why' }),
    ports: Type.Array(portSchema),
    services: servicesSchema,
    packets: Type.Record(Type.String(), Type.Integer(), { description: 'By the name of the reason; none that is 0' }),
  }),
});

export const directorServices = route({
  method: 'GET',
  path: '/director/services',
  summary: 'Virtual services and real servers with their counts',
  parameters: parametersSchema({}),
  answer: servicesSchema,
});

export const directorIpvsadm = route({
  method: 'GET',
  path: '/director/ipvsadm',
  summary: 'The same as `ipvsadm -L -n` prints it',
  parameters: parametersSchema({}),
  answer: Type.String(),
});

export const directorConnections = route({
  method: 'GET',
  path: '/director/connections',
  summary: 'The table of connections, in no order',
  parameters: parametersSchema({
    service: serviceName('Those of this virtual service only'),
    client: address('Those of this client only'),
  }),
  answer: Type.Object({
    protocol: Type.String({ description: 'TCP, UDP, SCTP or IP' }),
    expires: Type.Number({ description: 'Seconds until the flow ends' }),
    state: Type.String(),
    client: endpoint,
    virtual: endpoint,
    server: endpoint,
    local: endpoint,
  }),
  streams: true,
});

export const directorTop = route({
  method: 'GET',
  path: '/director/top',
  summary: 'What was counted until this moment: two answers make rates',
  parameters: parametersSchema({}),
  answer: Type.Object({
    at: Type.Number({ description: 'Monotonic nanoseconds' }),
    workers: Type.Array(
      Type.Object({
        name: Type.String(),
        awakeNanoseconds: Type.Number({ description: 'For how long it did not sleep' }),
        received: count('Frames'),
        receivedBytes: count('Bytes'),
        transmitted: count('Frames'),
        transmittedBytes: count('Bytes'),
      }),
    ),
    services: servicesSchema,
    reasons: Type.Array(Type.Object({ name: Type.String(), verdict, packets: count('So far') })),
  }),
});

export const directorExplain = route({
  method: 'POST',
  path: '/director/explain',
  summary: 'What would become of a packet that came now, and why; a copy of the director decides',
  parameters: parametersSchema(
    {
      packet: Type.Optional(
        Type.String({
          description: 'The packet in words; or give frame',
          examples: ['tcp 10.0.1.2:1024 10.0.1.100:80 S'],
        }),
      ),
      frame: Type.Optional(
        Type.String({
          description: 'A whole Ethernet frame in hexadecimal digits; or give packet',
          pattern: '^([0-9a-fA-F]{2})*$',
          form: 'an even number of hexadecimal digits',
          examples: ['020000000001'],
        }),
      ),
      device: Type.Optional(
        Type.String({
          description:
            'The network device, or the port, on which the packet comes. Unless given, the one that a frame is addressed to, or that leads to the sender',
          examples: ['eth0'],
        }),
      ),
      mark: Type.Optional(
        Type.Integer({ description: 'Its firewall mark', minimum: 0, maximum: 0xffff_ffff, default: 0 }),
      ),
    },
    { elsewhere: { port: 'use device' } },
  ),
  answer: Type.Object({
    port: Type.String({ description: 'On which the packets would come' }),
    device: Type.String(),
    worker: Type.Integer({ description: 'Which would have them, from 0' }),
    workers: Type.Integer({ description: 'How many there are' }),
    stoodStillMicroseconds: Type.Number({ description: 'For how long that worker waited for its copy' }),
    packets: Type.Array(
      Type.Object({
        packet: Type.String({ description: 'The frame in a line' }),
        owner: Type.Enum(['director', 'host', 'both', 'unknown'], { description: 'Whose the packet is' }),
        verdict,
        reason: Type.String(),
        meaning: Type.String({ description: 'The reason in words' }),
        ...parties,
        steps: Type.Optional(Type.Array(Type.String(), { description: 'Of the decision, in words' })),
        sent: Type.Array(Type.Object({ port: Type.String(), packet: Type.String() })),
      }),
      { description: 'One, or the fragments of one' },
    ),
  }),
});

export const directorCapture = route({
  method: 'POST',
  path: '/director/capture',
  summary: 'Packets with what was decided about them, until the client ends it. All filters must hold',
  parameters: parametersSchema(
    {
      host: address('An address of the packet that came, or of one that was sent for it'),
      port: Type.Optional(
        Type.Integer({
          description: 'A port of TCP, UDP or SCTP, of the packet that came or of one that was sent for it',
          minimum: 0,
          maximum: 65_535,
          examples: [80],
        }),
      ),
      protocol: Type.Optional(
        Type.Enum(['icmp', 'tcp', 'udp', 'icmpv6', 'sctp'], {
          description: 'Of the packet that came, or of one that was sent for it',
          examples: ['tcp'],
        }),
      ),
      verdict: Type.Optional(
        Type.Enum(['forward', 'drop', 'pass', 'consume'], { description: 'What was decided', examples: ['drop'] }),
      ),
      reason: Type.Optional(Type.String({ description: 'Why it was decided so', examples: ['no-real-server'] })),
      service: serviceName('The virtual service that the packet belongs to'),
      device: Type.Optional(
        Type.String({ description: 'The network device, or the port, on which the packet came', examples: ['eth0'] }),
      ),
    },
    { elsewhere: { 'port-number': 'use port' } },
  ),
  answer: Type.Union([
    Type.Object(
      { devices: Type.Array(Type.String(), { description: 'By the numbers that frames name them by' }) },
      { description: 'The first line' },
    ),
    Type.Object(
      {
        worker: Type.Integer(),
        packet: Type.Integer({ description: 'Of a worker, the same for all frames of a packet' }),
        time: Type.String({ description: 'Nanoseconds since 1970-01-01 UTC' }),
        device: Type.Integer({ description: 'Its number' }),
        hasLeft: Type.Boolean({ description: 'Whether the frame was sent for the one that came before it' }),
        left: Type.Integer({ description: 'How many frames were sent for the one that came' }),
        verdict,
        reason: Type.String(),
        ...parties,
        bytes: Type.String({ description: 'base64' }),
      },
      { description: 'A frame' },
    ),
    Type.Object(
      { missed: count('Packets so far that found no room on their way here') },
      { description: 'When more were missed' },
    ),
  ]),
  streams: true,
});

export const directorRoutes = [
  directorStatus,
  directorServices,
  directorIpvsadm,
  directorConnections,
  directorTop,
  directorExplain,
  directorCapture,
] as const;
