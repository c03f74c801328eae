// SPDX-License-Identifier: Apache-2.0
// The schema of the director's section of `sluice.yaml`. The types, schema/sluice.json for editors, the checks of a
// document and docs/reference/configuration.md all come from this schema. read.ts checks what a schema cannot express.

import Type, { type Static, type TSchemaOptions } from 'typebox';
import { named, namePattern } from '../core/config/schema-parts.ts';
import { marksSchema } from './firewall-marks.ts';
import { serverHealthSchema, serviceHealthFields } from './health-schema.ts';
import {
  defaultLimits,
  defaultPersistence,
  defaultSwitches,
  defaultTimeouts,
  defaultWorkers,
  highestWeight,
  longestTimeout,
  mostWorkers,
  persistenceEngines,
  stealWays,
} from './model.ts';
import { defaultScheduler, schedulers } from './schedulers.ts';

const closed = { additionalProperties: false } as const;

// Names of ports, pools and egress rules are short enough for a column of a table and can be labels of metrics.

const integer = (minimum: number, maximum: number, description: string, more: TSchemaOptions = {}) =>
  Type.Integer({ minimum, maximum, description, ...more });
const words = <const Words extends string[]>(list: readonly [...Words], options: TSchemaOptions) =>
  Type.Enum<Words>(list, options);

const endpoint = { form: 'an address with a port', examples: ['10.0.1.100:80', '[2001:db8::100]:443'] };
const networks = { form: 'an address or a network', examples: ['10.0.2.0/24', '2001:db8::/64'] };

const portSchema = Type.Union(
  [
    Type.String({ form: 'the name of a network device', examples: ['eth0'], maxLength: 15 }),
    Type.Object(
      {
        device: Type.Optional(
          Type.String({
            description: "The network device. Default: the port's name.",
            examples: ['eth0'],
            maxLength: 15,
          }),
        ),
        type: Type.Optional(
          words(['packet', 'xdp'], {
            description:
              'How frames are received and sent: by packet rings (any device), or by AF_XDP (needs a driver with XDP, and ' +
              'one worker; if it is not possible, the port is a packet ring and a notice says why).',
            default: 'packet',
          }),
        ),
        vlan: Type.Optional(
          integer(
            1,
            4094,
            'Frames that this device sends get an 802.1Q tag with this VLAN. The port uses the neighbours that the ' +
              'kernel knows on the device itself: add them by hand (ip neigh). If the kernel has VLAN devices, name ' +
              'a VLAN device as the device instead.',
            { examples: [100] },
          ),
        ),
      },
      closed,
    ),
  ],
  { description: 'A device that the director receives from and sends to, by a name of your choice.' },
);

const tunnelTypes = ['ipip', 'gue', 'gre'] as const;
const tunnelSchema = Type.Union(
  [
    words(tunnelTypes, {}),
    Type.Object(
      {
        type: Type.Optional(words(tunnelTypes, { description: 'The encapsulation.', default: 'ipip' })),
        port: Type.Optional(
          integer(1, 65535, 'GUE: the UDP port at the real server. Needed for gue.', { examples: [6080] }),
        ),
        checksum: Type.Optional(
          words(['none', 'full', 'remote'], {
            description: 'GUE, GRE: a checksum in the outer header; remote (GUE) is remote checksum offload.',
            default: 'none',
          }),
        ),
      },
      closed,
    ),
  ],
  {
    description: 'Mode tunnel: how packets are wrapped.',
    default: 'ipip',
    examples: ['gre', { type: 'gue', port: 6080 }],
  },
);

const modes = ['nat', 'fullnat', 'dr', 'tunnel'] as const;
const serverFields = {
  server: Type.String({
    description: "The real server's address and port. Without a port: that of the service.",
    form: 'an address, with a port if it differs from the service',
    examples: ['10.0.2.11:8080', '10.0.2.11', '[2001:db8::11]:8080'],
  }),
  mode: Type.Optional(words(modes, { description: "How packets reach this server. Default: the service's mode." })),
  tunnel: Type.Optional(tunnelSchema),
  weight: Type.Optional(
    integer(0, highestWeight, 'Capacity relative to the other servers. 0 drains: flows stay, no new ones come.', {
      default: 1,
    }),
  ),
  upper_threshold: Type.Optional(
    integer(0, highestWeight, 'With this many connections the server gets no new ones. 0: no limit.', {
      default: 0,
      unit: 'connections',
    }),
  ),
  lower_threshold: Type.Optional(
    integer(0, highestWeight, 'With fewer connections it gets new ones again. 0: ¾ of upper_threshold.', {
      default: 0,
      unit: 'connections',
    }),
  ),
};
const sorryServerSchema = Type.Union([
  Type.String({ form: 'an address, with a port if it differs from the service', examples: ['10.0.2.99:8080'] }),
  Type.Object(serverFields, closed),
]);
const serverSchema = Type.Union([
  Type.String({ form: 'an address, with a port if it differs from the service', examples: ['10.0.2.11:8080'] }),
  Type.Object(
    {
      ...serverFields,
      maintenance: Type.Optional(
        Type.Boolean({ description: 'true: it keeps its flows and gets no new ones.', default: false }),
      ),
      health: Type.Optional(serverHealthSchema),
    },
    closed,
  ),
]);

const seconds = { unit: 'seconds' };
const persistenceSchema = Type.Union(
  [
    Type.Integer({ minimum: 1, maximum: longestTimeout, ...seconds, form: 'a number of seconds' }),
    Type.Object(
      {
        timeout: Type.Optional(
          integer(1, longestTimeout, 'How long a client stays with its server after its last flow.', {
            default: defaultPersistence,
            ...seconds,
          }),
        ),
        netmask: Type.Optional(
          Type.String({
            description: 'IPv4: clients that are equal under this mask share a server.',
            form: 'an IPv4 netmask',
            default: '255.255.255.255',
            examples: ['255.255.255.0'],
          }),
        ),
        prefix: Type.Optional(
          integer(0, 128, 'The same as a number of leading bits, for both families.', { examples: [24], unit: 'bits' }),
        ),
      },
      closed,
    ),
  ],
  {
    description: 'All flows of a client go to the same server: the timeout in seconds, or a map.',
    examples: [600, { timeout: 600, prefix: 24 }],
  },
);

const serviceSchema = Type.Object(
  {
    tcp: Type.Optional(Type.String({ description: 'A TCP service: its address and port.', ...endpoint })),
    udp: Type.Optional(Type.String({ description: 'A UDP service.', ...endpoint })),
    sctp: Type.Optional(Type.String({ description: 'An SCTP service.', ...endpoint })),
    mark: Type.Optional(
      integer(1, 0xffff_ffff, 'A service of all packets with this firewall mark, instead of an address.', {
        examples: [5],
      }),
    ),
    family: Type.Optional(words(['ipv4', 'ipv6'], { description: "mark only: the packets' family.", default: 'ipv4' })),
    scheduler: Type.Optional(
      words(
        schedulers.map(({ name }) => name),
        {
          description: `Which server gets a new flow: ${schedulers.map(({ name, summary }) => `${name} (${summary})`).join(', ')}.`,
          default: defaultScheduler,
        },
      ),
    ),
    flags: Type.Optional(
      Type.Array(Type.String({ form: "the name of a scheduler's flag", examples: ['sh-port'] }), {
        description: "The scheduler's flags: sh-port, sh-fallback, mh-port, mh-fallback, or flag-1, flag-2, flag-3.",
        default: [],
        maxItems: 3,
      }),
    ),
    mode: Type.Optional(
      words(modes, {
        description: 'The forwarding mode of servers that name none: nat, fullnat, dr (direct routing) or tunnel.',
        default: 'nat',
      }),
    ),
    persistence: Type.Optional(persistenceSchema),
    persistence_engine: Type.Optional(
      words(persistenceEngines, {
        description:
          "What `ipvsadm --pe` gives. It is kept and listed, but Sluice keeps clients at servers by their addresses alone, not by SIP's Call-ID.",
      }),
    ),
    one_packet: Type.Optional(
      Type.Boolean({ description: 'UDP: every packet is scheduled on its own.', default: false }),
    ),
    pool: Type.Optional(
      Type.String({
        description: 'Mode fullnat: the pool of local addresses.',
        form: 'the name of a pool',
        examples: ['local'],
      }),
    ),
    client_address: Type.Optional(
      words(['none', 'toa'], {
        description: "Mode fullnat, TCP: how servers learn the client's address: by the TOA option, or not at all.",
        default: 'none',
      }),
    ),
    proxy_protocol: Type.Optional(
      words(['none', 'v2'], {
        description:
          "TCP in modes fullnat and nat: v2 sends servers the client's address in a header before the client's first byte (version 2 of the PROXY protocol). The servers must expect this header.",
        default: 'none',
      }),
    ),
    syn_proxy: Type.Optional(
      words(['off', 'on', 'auto'], {
        description:
          'TCP in modes nat and fullnat: answer SYNs with cookies. auto: while limits.half_open is exceeded.',
        default: 'off',
      }),
    ),
    source_limit: Type.Optional(
      Type.Object(
        {
          rate: integer(1, 10_000_000, 'New flows a second from one source.', {
            unit: 'flows a second',
            examples: [100],
          }),
          burst: Type.Optional(integer(1, 10_000_000, 'New flows at once. Default: the rate.', { unit: 'flows' })),
          prefix: Type.Optional(
            integer(1, 128, 'Bits of the address that make one source. Default: 32 (IPv4), 64 (IPv6).', {
              unit: 'bits',
            }),
          ),
        },
        { ...closed, description: 'Limits the new flows of each source.' },
      ),
    ),
    health: Type.Optional(
      Type.Union(
        [
          Type.String({ form: 'the name of a check', examples: ['web'] }),
          Type.Object({ ...serviceHealthFields, sorry: Type.Optional(sorryServerSchema) }, closed),
        ],
        {
          description: 'How the real servers are checked: the name of a check, or a map.',
          examples: ['web', { checks: ['web', 'alive'], need: 'any', quorum: 2, sorry: '10.0.2.99:80' }],
        },
      ),
    ),
    servers: Type.Optional(
      Type.Array(serverSchema, {
        description: 'The real servers, in the order in which ipvsadm -a would add them.',
        default: [],
        maxItems: 65_536,
        examples: [['10.0.2.11:8080', { server: '10.0.2.12:8080', weight: 3 }]],
      }),
    ),
  },
  closed,
);

const addressList = (description: string) =>
  Type.Array(Type.String({ ...networks }), { description, minItems: 1, maxItems: 4096, examples: [['10.0.3.0/28']] });

const poolSchema = Type.Union(
  [
    addressList('The addresses of the pool.'),
    Type.Object(
      {
        addresses: addressList('Addresses that the director may use as its own; every address of a network is used.'),
        ports: Type.Optional(
          Type.String({
            description: 'The range of local ports.',
            pattern: '^[0-9]{1,5}-[0-9]{1,5}$',
            form: 'a range of ports',
            default: '1024-65535',
            examples: ['1024-65535'],
          }),
        ),
      },
      closed,
    ),
  ],
  { description: 'Local addresses for FULLNAT and egress, by name.' },
);

const egressSchema = Type.Object(
  {
    sources: addressList('Networks whose hosts may reach out.'),
    pool: Type.String({
      description: 'The pool of public addresses.',
      form: 'the name of a pool',
      examples: ['public'],
    }),
  },
  { ...closed, description: 'Source NAT for flows that begin at servers, by name.' },
);

const timeoutMap = <Names extends string>(defaults: Readonly<Record<Names, number>>, description: string) =>
  Type.Object(
    Object.fromEntries(
      Object.entries<number>(defaults).map(([state, value]) => [
        state,
        Type.Optional(integer(1, longestTimeout, `In state ${state.toUpperCase()}.`, { default: value, ...seconds })),
      ]),
    ) as { [Name in Names]: ReturnType<typeof Type.Optional<ReturnType<typeof integer>>> },
    { ...closed, description },
  );

const defense = 'never (0), when memory is short (1, 2), always (3)';
const flag = (name: keyof typeof defaultSwitches, description: string) =>
  Type.Optional(
    Type.Union([Type.Boolean(), Type.Literal(0), Type.Literal(1)], { description, default: defaultSwitches[name] }),
  );
const level = (name: keyof typeof defaultSwitches, maximum: number, description: string, more: TSchemaOptions = {}) =>
  Type.Optional(integer(0, maximum, description, { default: defaultSwitches[name], ...more }));

// The other sysctls of IPVS (net.ipv4.vs.*, Linux 6.1). A person who copies the settings of a host may keep a sysctl
// whose value describes what Sluice does anyway. For the others, the error says what exists instead.
const fixed = (value: 0 | 1, description: string, instead: string) =>
  Type.Optional(
    Type.Union([Type.Literal(value), Type.Literal(value === 1)], { description, default: value, remedy: instead }),
  );

const noSynchronisation = 'remove it: there is no connection synchronisation';
const noEstimators = 'remove it: there are no estimators';
const sysctlsElsewhere = {
  est_cpulist: noEstimators,
  est_nice: noEstimators,
  backup_only: noSynchronisation,
  sync_version: noSynchronisation,
  sync_ports: noSynchronisation,
  sync_persist_mode: noSynchronisation,
  sync_qlen_max: noSynchronisation,
  sync_sock_size: noSynchronisation,
  sync_threshold: noSynchronisation,
  sync_refresh_period: noSynchronisation,
  sync_retries: noSynchronisation,
} as const;

const switchesSchema = Type.Object(
  {
    conn_reuse_mode: level(
      'conn_reuse_mode',
      3,
      'What a SYN for a finished connection does. 1: it is scheduled as a new connection if nothing forbids this.',
    ),
    expire_nodest_conn: flag(
      'expire_nodest_conn',
      'Flows of a removed server end at once instead of waiting for its return.',
    ),
    expire_quiescent_template: flag('expire_quiescent_template', 'Persistence ends for servers of weight 0.'),
    sloppy_tcp: flag('sloppy_tcp', 'Any TCP packet but a reset may create a flow, not only a SYN.'),
    sloppy_sctp: flag('sloppy_sctp', 'Any SCTP packet may create a flow, not only an INIT.'),
    drop_entry: level('drop_entry', 3, `Drop random half-open flows: ${defense}.`),
    drop_packet: level('drop_packet', 3, `Drop one packet in am_droprate: ${defense}.`),
    secure_tcp: level('secure_tcp', 3, `Use the stricter TCP state table: ${defense}.`),
    am_droprate: level('am_droprate', 1_000_000, 'With drop_packet: 3, one packet in this many is dropped.', {
      unit: 'packets',
    }),
    amemthresh: level(
      'amemthresh',
      highestWeight,
      'Memory is short when fewer pages than this are free for new flows.',
      { unit: 'pages' },
    ),
    pmtu_disc: flag('pmtu_disc', 'Tunnels answer packets that are too large with the MTU that fits.'),
    nat_icmp_send: flag('nat_icmp_send', 'Answer a reply of a server that belongs to no flow with port unreachable.'),
    host_answers: flag(
      'host_answers',
      'Answer packets that no service wants as a host does: TCP with a reset, UDP with port unreachable. false: no answer.',
    ),
    schedule_icmp: flag('schedule_icmp', 'An ICMP error about a reply of an unknown flow may create that flow.'),
    udp_leave_removed: flag('udp_leave_removed', 'UDP flows leave a removed server with their next packet.'),
    ignore_tunneled: fixed(
      1,
      'Packets that the host takes out of a tunnel do not pass the director.',
      'use 1: what the host takes out of a tunnel does not pass the director',
    ),
    cache_bypass: fixed(
      0,
      'If a service has no real server, its packets are refused.',
      'use 0 and give the service a server of last resort: without a real server a packet is refused',
    ),
    snat_reroute: fixed(
      1,
      'Replies are routed by their source address after translation.',
      'use 1: replies are always routed by the address that they leave with',
    ),
    conntrack: fixed(
      0,
      'netfilter does not know the connections of the director.',
      'use 0: the director has connections of its own and tells none to netfilter',
    ),
    run_estimation: fixed(
      1,
      'Counters are always kept.',
      'use 1: counters are always kept, and rates are made by whoever reads them',
    ),
  },
  {
    ...closed,
    elsewhere: sysctlsElsewhere,
    description: "The switches of IPVS, under the names of its sysctls, and Sluice's own.",
  },
);

const limitsSchema = Type.Object(
  {
    flows: Type.Optional(
      integer(1, 100_000_000, 'Flows in the table. If it is full, new flows are refused and counted.', {
        default: defaultLimits.flows,
        unit: 'flows',
      }),
    ),
    half_open: Type.Optional(
      integer(1, 100_000_000, 'If a service has more half-open flows, syn_proxy: auto answers SYNs itself.', {
        default: defaultLimits.half_open,
        unit: 'flows',
      }),
    ),
    fragments: Type.Optional(
      integer(1, 1_000_000, 'Datagrams whose fragments are followed at the same time.', {
        default: defaultLimits.fragments,
        unit: 'datagrams',
      }),
    ),
  },
  { ...closed, description: 'How many flows and datagrams the director keeps at most.' },
);

export const directorSchema = Type.Object(
  {
    workers: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1, maximum: mostWorkers, unit: 'threads' }), Type.Literal('auto')], {
        description:
          'Number of threads that forward. Several threads are pinned to a CPU each; a single thread is not pinned. auto: one for each CPU that sluice may use. `sluice run --workers` overrides it. A change needs a restart.',
        default: defaultWorkers,
        examples: [4, 'auto'],
      }),
    ),
    stealing: Type.Optional(
      words(stealWays, {
        description:
          "How packets are kept from the host's stack: tcx or clsact (BPF), or nftables, with one worker only. Default: the first of them that the kernel supports. `sluice run --stealing` overrides it. A change needs a restart.",
        examples: ['clsact'],
      }),
    ),
    ports: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), portSchema, {
        ...named,
        description: 'The devices that the director uses.',
        examples: [{ c0: 'eth0', s0: { device: 'eth1', type: 'xdp' } }],
      }),
    ),
    services: Type.Optional(
      Type.Array(serviceSchema, {
        description: 'The virtual services. Their order has no meaning.',
        maxItems: 1_000_000,
      }),
    ),
    pools: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), poolSchema, {
        ...named,
        description: 'Pools of local addresses.',
        examples: [{ local: ['10.0.3.0/28'], public: { addresses: ['192.0.2.1'], ports: '1024-65535' } }],
      }),
    ),
    egress: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), egressSchema, {
        ...named,
        description: 'Source NAT for flows that begin at servers, by name.',
        examples: [{ office: { sources: ['10.0.2.0/24'], pool: 'public' } }],
      }),
    ),
    marks: Type.Optional(marksSchema),
    timeouts: Type.Optional(
      Type.Object(
        {
          tcp: Type.Optional(timeoutMap(defaultTimeouts.tcp, 'TCP, by state.')),
          udp: Type.Optional(timeoutMap(defaultTimeouts.udp, 'UDP.')),
          sctp: Type.Optional(timeoutMap(defaultTimeouts.sctp, 'SCTP, by state.')),
          icmp: Type.Optional(timeoutMap(defaultTimeouts.icmp, 'ICMP echo through egress.')),
        },
        { ...closed, description: 'How long a flow lives without packets. The states have the names of IPVS.' },
      ),
    ),
    switches: Type.Optional(switchesSchema),
    limits: Type.Optional(limitsSchema),
  },
  { ...closed, description: 'The layer-4 director.' },
);

/** The director's section as a document writes it. */
export type DirectorDocument = Static<typeof directorSchema>;
export type ServiceDocument = Static<typeof serviceSchema>;
export type ServerDocument = Static<typeof serverSchema>;
