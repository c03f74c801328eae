// SPDX-License-Identifier: Apache-2.0
// What the running director can be asked, without the code that answers (answers.ts). The command line takes its types
// from here.
import Type from 'typebox';
import { parametersSchema, route } from '../core/api/route.ts';

/** A file of some 300,000 commands. */
const longestRestore = 32 << 20;

const count = (description: string) => Type.Integer({ minimum: 0, description });

const endpoint = Type.Object({ address: Type.String(), port: Type.Integer() });

/** Counts of a service or of a server: totals, or rates. */
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

const counters = countersSchema('Totals since the service was added');
const rates = countersSchema('Rates: each number a second');

const serverSchema = Type.Object({
  address: Type.String(),
  port: Type.Integer({ description: '0 stands for the port that the packet was sent to' }),
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
  active: count('Established connections'),
  inactive: count('Connections in any other state'),
  persistent: count('Clients that persistence keeps on this server'),
  overloaded: count('Workers at which it is at its upper threshold, and gets no new connections'),
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
  persistenceEngine: Type.Optional(Type.Enum(['sip'], { description: 'What `ipvsadm --pe` gives' })),
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
  servers: Type.Array(serverSchema, { description: 'The server that was added first comes first' }),
});

const servicesSchema = Type.Array(serviceSchema);

const portSchema = Type.Object({
  name: Type.String({ description: 'The name in the configuration' }),
  device: Type.String({ description: 'The network device' }),
  type: Type.Enum(['packet', 'xdp-copy', 'xdp-zero-copy'], {
    description: 'The kind of port in use. A port is a packet ring when AF_XDP is configured but not available',
  }),
  up: Type.Boolean(),
  mac: Type.String(),
  mtu: Type.Integer(),
  addresses: Type.Array(Type.String()),
  received: count('Frames'),
  receivedBytes: count('Bytes'),
  transmitted: count('Frames'),
  transmittedBytes: count('Bytes'),
  kernelDrops: count('Frames that the kernel dropped because the ring was full: the worker was too slow'),
  unreadable: count('Frames that could not be read'),
  sendFailures: count('Frames that could not be sent'),
});

const verdict = Type.Enum(['forward', 'drop', 'pass', 'consume', 'deliver']);

/** The service and the server that a decision is about. */
const parties = {
  service: Type.Optional(Type.String({ description: 'The virtual service, as "tcp 10.0.1.100:80"' })),
  server: Type.Optional(Type.String({ description: 'The real server, as "10.0.2.11:8080"' })),
  mode: Type.Optional(Type.String({ description: 'The forwarding mode of the real server' })),
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
    stealing: Type.String({ description: "What keeps packets from the host's stack: tcx, clsact or nftables" }),
    notices: Type.Array(Type.String(), { description: 'What could not be done as configured, and why' }),
    ports: Type.Array(portSchema),
    services: servicesSchema,
    packets: Type.Record(Type.String(), Type.Integer(), {
      description: 'Packets by the name of the reason. Reasons without packets are left out',
    }),
  }),
});

export const directorServices = route({
  method: 'GET',
  path: '/director/services',
  summary: 'Virtual services and real servers with their counts',
  parameters: parametersSchema({ service: serviceName('Only this virtual service') }),
  answer: servicesSchema,
});

export const directorIpvsadm = route({
  method: 'GET',
  path: '/director/ipvsadm',
  summary: 'Virtual services and real servers as `ipvsadm -L -n` prints them',
  parameters: parametersSchema({}),
  answer: Type.String(),
});

const wanted = {
  service: serviceName('Only connections of this virtual service'),
  server: Type.Optional(
    Type.String({
      description: 'Only connections of this real server, by its address or by address and port',
      examples: ['10.0.2.11:8080'],
    }),
  ),
  client: address('Only connections of this client'),
  protocol: Type.Optional(Type.Enum(['tcp', 'udp', 'sctp'], { description: 'Only connections of this protocol' })),
  state: Type.Optional(
    Type.String({ description: 'Only connections in this state, as ipvsadm lists it', examples: ['ESTABLISHED'] }),
  ),
};
const wantedConnections = parametersSchema(wanted);

export const directorEndConnections = route({
  method: 'POST',
  path: '/director/connections/end',
  summary:
    'Ends connections, which at least one parameter chooses. Their next packets are reset (TCP) or scheduled anew (UDP)',
  parameters: parametersSchema({
    ...wanted,
    author: Type.Optional(Type.String({ description: 'Who asks for it; shown in the events', maxLength: 64 })),
  }),
  answer: Type.Object({ count: count('Connections that were ended, templates of persistence included') }),
});

export const directorConnectionCount = route({
  method: 'GET',
  path: '/director/connections/count',
  summary: 'How many connections there are. Templates of persistence count, as `ipvsadm -Lnc` lists them',
  parameters: wantedConnections,
  answer: Type.Object({ count: count('Connections') }),
});

export const directorConnections = route({
  method: 'GET',
  path: '/director/connections',
  summary: 'The table of connections, in no particular order',
  parameters: wantedConnections,
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
  summary: 'The counts at this moment. The difference of two answers gives rates',
  parameters: parametersSchema({}),
  answer: Type.Object({
    at: Type.Number({ description: 'Monotonic nanoseconds' }),
    workers: Type.Array(
      Type.Object({
        name: Type.String(),
        awakeNanoseconds: Type.Number({ description: 'How long the worker was awake so far' }),
        received: count('Frames'),
        receivedBytes: count('Bytes'),
        transmitted: count('Frames'),
        transmittedBytes: count('Bytes'),
        longestVisitNanoseconds: count('The longest time for which the worker stood still for a change or a question'),
      }),
    ),
    services: servicesSchema,
    reasons: Type.Array(Type.Object({ name: Type.String(), verdict, packets: count('Packets so far') })),
  }),
});

export const directorExplain = route({
  method: 'POST',
  path: '/director/explain',
  summary: 'What the director would do with a packet that arrives now, and why. A copy of the director decides',
  parameters: parametersSchema(
    {
      packet: Type.Optional(
        Type.String({
          description: 'The packet in words. Give either packet or frame',
          examples: ['tcp 10.0.1.2:1024 10.0.1.100:80 S'],
        }),
      ),
      frame: Type.Optional(
        Type.String({
          description: 'A whole Ethernet frame in hexadecimal digits. Give either packet or frame',
          pattern: '^([0-9a-fA-F]{2})*$',
          form: 'an even number of hexadecimal digits',
          examples: ['020000000001'],
        }),
      ),
      device: Type.Optional(
        Type.String({
          description:
            'The network device, or the port, on which the packet arrives. Without it: the device that the frame is addressed to, or the device that leads to the sender',
          examples: ['eth0'],
        }),
      ),
      mark: Type.Optional(
        Type.Integer({ description: 'The firewall mark of the packet', minimum: 0, maximum: 0xffff_ffff, default: 0 }),
      ),
    },
    { elsewhere: { port: 'use device' } },
  ),
  answer: Type.Object({
    port: Type.String({ description: 'The port on which the packets would arrive' }),
    device: Type.String(),
    worker: Type.Integer({ description: 'The worker that would take the packets, counted from 0' }),
    workers: Type.Integer({ description: 'The number of workers' }),
    stoodStillMicroseconds: Type.Number({ description: 'How long that worker stood still while its copy was made' }),
    packets: Type.Array(
      Type.Object({
        packet: Type.String({ description: 'The frame in one line of text' }),
        owner: Type.Enum(['director', 'host', 'both', 'unknown'], {
          description:
            "Who gets the packet: the director, the host's stack, or both. unknown: this is decided only when a packet arrives",
        }),
        verdict,
        reason: Type.String(),
        meaning: Type.String({ description: 'The reason in words' }),
        ...parties,
        steps: Type.Optional(Type.Array(Type.String(), { description: 'The steps of the decision, in words' })),
        sent: Type.Array(Type.Object({ port: Type.String(), packet: Type.String() })),
      }),
      { description: 'One packet, or the fragments of one packet' },
    ),
  }),
});

export const directorCapture = route({
  method: 'POST',
  path: '/director/capture',
  summary: 'Packets, each with the decision about it, until the client ends the capture. A packet must fit all filters',
  parameters: parametersSchema(
    {
      host: address('An address of the packet that arrived, or of a packet that was sent because of it'),
      port: Type.Optional(
        Type.Integer({
          description: 'A port of TCP, UDP or SCTP in one of these packets',
          minimum: 0,
          maximum: 65_535,
          examples: [80],
        }),
      ),
      protocol: Type.Optional(
        Type.Enum(['icmp', 'tcp', 'udp', 'icmpv6', 'sctp'], {
          description: 'The protocol of one of these packets',
          examples: ['tcp'],
        }),
      ),
      verdict: Type.Optional(
        Type.Enum(['forward', 'drop', 'pass', 'consume', 'deliver'], {
          description: 'The verdict about the packet',
          examples: ['drop'],
        }),
      ),
      reason: Type.Optional(Type.String({ description: 'The reason of the verdict', examples: ['no-real-server'] })),
      service: serviceName('The virtual service that the packet belongs to'),
      device: Type.Optional(
        Type.String({
          description: 'The network device, or the port, on which the packet arrived',
          examples: ['eth0'],
        }),
      ),
    },
    { elsewhere: { 'port-number': 'use port' } },
  ),
  answer: Type.Union([
    Type.Object(
      {
        devices: Type.Array(Type.String(), {
          description: 'Network devices. Frames name a device by its index in this list',
        }),
      },
      { description: 'The first line' },
    ),
    Type.Object(
      {
        worker: Type.Integer(),
        packet: Type.Integer({ description: 'A number of this worker that all frames of one packet share' }),
        time: Type.String({ description: 'Nanoseconds since 1970-01-01 UTC' }),
        device: Type.Integer({ description: 'The index of the device in the first line' }),
        hasLeft: Type.Boolean({ description: 'true: the frame was sent. false: the frame arrived' }),
        left: Type.Integer({ description: 'How many frames were sent because of the frame that arrived' }),
        verdict,
        reason: Type.String(),
        ...parties,
        bytes: Type.String({ description: 'base64' }),
      },
      { description: 'A line for each frame' },
    ),
    Type.Object(
      { missed: count('Packets so far that are missing because the client was too slow') },
      { description: 'A line when packets are missing' },
    ),
  ]),
  streams: true,
});

export const directorZero = route({
  method: 'POST',
  path: '/director/zero',
  summary: 'Counts of a service and of its servers begin again from zero, or those of all services',
  parameters: parametersSchema({ service: serviceName('The virtual service') }),
  answer: parametersSchema({}),
});

export const ipvsadmRoute = route({
  method: 'POST',
  path: '/ipvsadm',
  summary: 'Does what ipvsadm does with these arguments. What it changes is in force when it answers',
  parameters: parametersSchema({
    args: Type.Array(Type.String(), { description: 'The words after ipvsadm', examples: [['-L', '-n']] }),
    input: Type.Optional(Type.String({ description: 'What -R reads from standard input' })),
    author: Type.Optional(Type.String({ description: 'Who asks; shown in the history', maxLength: 64 })),
  }),
  answer: Type.Object({
    stdout: Type.String(),
    stderr: Type.String(),
    status: Type.Integer({ description: 'The exit status of ipvsadm' }),
  }),
  mostBytes: longestRestore,
});

export const maintenanceRoute = route({
  method: 'POST',
  path: '/maintenance',
  summary: 'Takes a real server out for maintenance, or back. It keeps its flows and gets no new ones',
  parameters: parametersSchema({
    server: Type.String({ description: 'An address, or an address and port', examples: ['10.0.2.11:8080'] }),
    service: serviceName('Only in this virtual service'),
    on: Type.Boolean({ description: 'false: the maintenance is over' }),
    author: Type.Optional(Type.String({ description: 'Who asks; shown in the history', maxLength: 64 })),
    reason: Type.Optional(Type.String({ description: 'Why; shown in the history', maxLength: 200 })),
  }),
  answer: Type.Object({
    servers: Type.Array(Type.Object({ service: Type.String(), server: Type.String() })),
    entry: Type.Optional(Type.Integer({ description: 'Of the history; absent where nothing was different' })),
  }),
});

export const directorRoutes = [
  directorStatus,
  directorServices,
  directorIpvsadm,
  directorConnections,
  directorConnectionCount,
  directorEndConnections,
  directorTop,
  directorExplain,
  directorCapture,
  directorZero,
] as const;
