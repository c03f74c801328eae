// SPDX-License-Identifier: Apache-2.0
// The schema of the health section of `sluice.yaml`. read.ts checks what a schema cannot express.

import Type, { type Static, type TSchema } from 'typebox';
import { absolutePath, named, namePattern } from '../core/config/schema-parts.ts';
import { secretSchema } from '../core/config/secret.ts';
import { defaultTiming, dnsQueryTypes, dnsResponseCodes } from './model.ts';

const closed = { additionalProperties: false } as const;
const seconds = { unit: 'seconds' };

const duration = (description: string, more: object = {}) =>
  Type.Optional(Type.Number({ minimum: 0.05, maximum: 86_400, description, ...seconds, ...more }));
const times = (description: string, value: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description, default: value }));

const tlsFields = {
  verify: Type.Optional(
    Type.Boolean({ description: "Whether the server's certificate has to be valid for the name.", default: true }),
  ),
  name: Type.Optional(
    Type.String({
      description: 'The name that is asked for (SNI) and that the certificate has to have. Default: the host.',
      maxLength: 253,
      examples: ['shop.example'],
    }),
  ),
  authorities: Type.Optional(
    absolutePath("A file of certificates (PEM) that are trusted in place of the system's.", '/etc/sluice/ca.pem'),
  ),
  certificate: Type.Optional(absolutePath("A file with the client's certificate (PEM).", '/etc/sluice/check.pem')),
  key: Type.Optional(secretSchema('The key of this certificate (PEM).')),
};
const tlsSchema = Type.Object(tlsFields, { ...closed, description: 'How TLS is spoken.' });

const httpFields = {
  path: Type.Optional(
    Type.String({ pattern: '^/', maxLength: 4096, form: 'a path', description: 'What is asked for.', default: '/' }),
  ),
  method: Type.Optional(
    Type.String({
      pattern: '^[A-Z]{1,16}$',
      form: 'a method of HTTP',
      description: 'The method.',
      default: 'GET',
      examples: ['HEAD'],
    }),
  ),
  host: Type.Optional(
    Type.String({
      pattern: '^[!-~]+$',
      maxLength: 255,
      form: 'a host, with a port if need be',
      description: "The Host header. Default: the target's address and port.",
      examples: ['shop.example'],
    }),
  ),
  headers: Type.Optional(
    Type.Record(
      Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$" }),
      Type.String({ pattern: '^[\\x20-\\x7e]*$', maxLength: 1024, form: 'printable ASCII' }),
      {
        additionalProperties: false,
        form: 'use letters, digits and -',
        description: 'Further headers.',
        examples: [{ 'User-Agent': 'probe' }],
      },
    ),
  ),
  status: Type.Optional(
    Type.Union(
      [
        Type.Integer({ minimum: 100, maximum: 599 }),
        Type.String({
          pattern: '^[1-5][0-9][0-9](-[1-5][0-9][0-9])?(, ?[1-5][0-9][0-9](-[1-5][0-9][0-9])?)*$',
          form: 'statuses and ranges of statuses',
        }),
      ],
      { description: 'Statuses that pass.', default: '200-299', examples: [204, '200-299, 401'] },
    ),
  ),
  contains: Type.Optional(
    Type.String({ maxLength: 1024, description: 'Text that the body has to contain.', examples: ['OK'] }),
  ),
  matches: Type.Optional(
    Type.String({
      maxLength: 1024,
      form: 'a regular expression',
      description: 'A regular expression that has to match the body (JavaScript, flag u; the first 256 KiB).',
      examples: ['"status": *"ok"'],
    }),
  ),
  digest: Type.Optional(
    Type.String({
      pattern: '^([0-9a-f]{32}|[0-9a-f]{64})$',
      form: 'an MD5 or SHA-256 digest in hexadecimal',
      description: 'The digest of the body: MD5, as genhash prints it, or SHA-256.',
      examples: ['9b3a0c85a887a256d6939da88aabd8cd'],
    }),
  ),
};
const pathForm = Type.String({ pattern: '^/', maxLength: 4096, form: 'a path', examples: ['/healthz'] });

const probeSchemas = {
  tcp: Type.Object(
    {
      like_traffic: Type.Optional(
        Type.Boolean({
          description:
            "true: for servers of the modes dr and tunnel, the connection is opened to the service's address, by the server's mode, as clients' packets travel. Finds an address, a tunnel or a rule of a firewall that is missing there.",
          default: false,
        }),
      ),
    },
    { ...closed, description: 'A TCP connection can be opened.' },
  ),
  http: Type.Union([pathForm, Type.Object(httpFields, closed)], {
    description: 'A request by HTTP/1.1 is answered as wanted: a path, or a map.',
    examples: ['/healthz', { path: '/healthz', status: 204 }],
  }),
  https: Type.Union([pathForm, Type.Object({ ...httpFields, tls: Type.Optional(tlsSchema) }, closed)], {
    description: 'The same over TLS.',
    examples: ['/healthz', { path: '/healthz', host: 'shop.example', tls: { verify: false } }],
  }),
  udp: Type.Object(
    {
      send: Type.Optional(
        Type.String({
          pattern: '^([0-9A-Fa-f]{2})*$',
          maxLength: 2048,
          form: 'bytes in hexadecimal',
          description: 'The datagram.',
          default: '',
          examples: ['0a0b'],
        }),
      ),
      expect: Type.Optional(
        Type.String({
          pattern: '^[0-9A-Fa-fx]*$',
          maxLength: 2048,
          form: 'hexadecimal digits, x for any digit',
          description: 'What an answer begins with. Without it, no ICMP error within the timeout is enough.',
          examples: ['0axx', ''],
        }),
      ),
    },
    { ...closed, description: 'A datagram is answered, or at least not refused.' },
  ),
  dns: Type.Object(
    {
      name: Type.Optional(
        Type.String({
          maxLength: 254,
          form: 'a domain name',
          description: 'The name.',
          default: '.',
          examples: ['example.org'],
        }),
      ),
      query: Type.Optional(Type.Enum([...dnsQueryTypes], { description: 'The type of the query.', default: 'SOA' })),
      transport: Type.Optional(Type.Enum(['udp', 'tcp'], { description: 'What carries the query.', default: 'udp' })),
      codes: Type.Optional(
        Type.Array(Type.Enum([...dnsResponseCodes]), {
          description: 'Response codes that pass.',
          default: ['NOERROR'],
          minItems: 1,
          maxItems: 6,
        }),
      ),
      expect: Type.Optional(
        Type.String({
          maxLength: 255,
          description: 'A value that has to be among the answers.',
          examples: ['192.0.2.1'],
        }),
      ),
    },
    { ...closed, description: 'A DNS query is answered.' },
  ),
  smtp: Type.Object(
    {
      hello: Type.Optional(
        Type.String({
          pattern: '^[!-~]+$',
          maxLength: 253,
          form: 'a host name',
          description: 'What the greeting names.',
          default: 'localhost',
        }),
      ),
      tls: Type.Optional(
        Type.Object(
          {
            ...tlsFields,
            start: Type.Optional(
              Type.Boolean({ description: 'true: by STARTTLS. false: from the first byte on.', default: true }),
            ),
          },
          { ...closed, description: 'TLS is spoken.' },
        ),
      ),
    },
    { ...closed, description: 'A mail server greets and answers HELO.' },
  ),
  ping: Type.Object({}, { ...closed, description: 'An ICMP echo request is answered.' }),
  grpc: Type.Object(
    {
      service: Type.Optional(
        Type.String({ maxLength: 255, description: 'The service that is asked for; empty: the server.', default: '' }),
      ),
      tls: Type.Optional(tlsSchema),
    },
    { ...closed, description: 'grpc.health.v1.Health answers SERVING.' },
  ),
  redis: Type.Object({}, { ...closed, description: 'PING is answered; also by a server that wants a password.' }),
  mysql: Type.Object({}, { ...closed, description: 'A MySQL or MariaDB server greets.' }),
  postgresql: Type.Object({}, { ...closed, description: 'A PostgreSQL server answers the request for TLS.' }),
  script: Type.Object(
    {
      command: Type.Array(Type.String({ maxLength: 4096 }), {
        description:
          'The program, by its absolute path, and its arguments. Exit status 0 passes. It runs as `process.user`.',
        minItems: 1,
        maxItems: 64,
        examples: [['/usr/local/bin/check-shop', '--fast']],
      }),
      environment: Type.Optional(
        Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$' }), Type.String({ maxLength: 4096 }), {
          additionalProperties: false,
          form: 'use letters, digits and _',
          description: 'Variables of its environment, besides SLUICE_ADDRESS, SLUICE_PORT and SLUICE_CHECK.',
          examples: [{ DEPTH: '2' }],
        }),
      ),
      sets_weight: Type.Optional(
        Type.Boolean({
          description: 'Exit status 2 to 255 passes and sets the weight: the status less 2.',
          default: false,
        }),
      ),
    },
    { ...closed, description: 'A program says whether the target works.' },
  ),
  file: Type.Object(
    {
      path: absolutePath('The file. It holds a number: 0 passes, anything else fails.', '/run/deploy.state'),
      sets_weight: Type.Optional(
        Type.Boolean({ description: 'The number is the weight of the target; a negative one fails.', default: false }),
      ),
    },
    { ...closed, description: 'A file says whether targets work.' },
  ),
} satisfies Record<string, TSchema>;

/** The probes by their keys in a document: those of the model, and https, which is http with TLS. */
export type ProbeKey = keyof typeof probeSchemas;
export const probeKeys = Object.keys(probeSchemas) as ProbeKey[];

/** Probes that need no setting, and may be written as a word. */
export const plainProbes = [
  'tcp',
  'http',
  'https',
  'dns',
  'smtp',
  'ping',
  'grpc',
  'redis',
  'mysql',
  'postgresql',
] as const;

const checkSchema = Type.Union(
  [
    Type.Enum([...plainProbes]),
    Type.Object(
      {
        ...(Object.fromEntries(Object.entries(probeSchemas).map(([key, schema]) => [key, Type.Optional(schema)])) as {
          [Key in ProbeKey]: ReturnType<typeof Type.Optional<(typeof probeSchemas)[Key]>>;
        }),
        address: Type.Optional(
          Type.String({
            form: 'an IP address',
            description: 'What is tried in place of each target, such as a gateway that all depend on.',
            examples: ['10.0.2.1'],
          }),
        ),
        port: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 65_535, description: "Default: the target's port.", examples: [9000] }),
        ),
        interval: duration('From the beginning of one probe to that of the next.', { default: defaultTiming.interval }),
        timeout: duration('After this time a probe has failed. A probe never begins before the last one has ended.', {
          default: defaultTiming.timeout,
        }),
        retry_interval: duration(
          'The interval while results differ from the state, but not often enough to change it. Default: the interval.',
          { examples: [0.5] },
        ),
        down_interval: duration(
          'While a target is down, each failure doubles the interval, up to this one. Default: the interval.',
          { examples: [30] },
        ),
        jitter: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 50,
            unit: 'percent',
            description: 'Intervals vary at random by this much, so that probes do not come in bursts.',
            default: defaultTiming.jitter,
          }),
        ),
        rise: times('Successes in a row after which a target that was down is up.', defaultTiming.rise),
        fall: times('Failures in a row after which a target that was up is down.', defaultTiming.fall),
        depends_on: Type.Optional(
          Type.Array(Type.String({ form: 'the name of a check', examples: ['gateway'] }), {
            description:
              'Checks with an address. While one of them is down, this check changes nothing: what it would find is not the fault of its targets.',
            maxItems: 16,
            default: [],
          }),
        ),
      },
      closed,
    ),
  ],
  { description: 'A check, by a name of your choice: what is tried, how often, and how many results in a row count.' },
);

export const healthSchema = Type.Object(
  {
    checks: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), checkSchema, {
        ...named,
        description: 'The checks. Services name those that their real servers have to pass.',
        examples: [{ web: { http: '/healthz', interval: 1 }, alive: 'tcp' }],
      }),
    ),
  },
  { ...closed, description: 'Health checks.' },
);

export type HealthDocument = Static<typeof healthSchema>;
export type CheckDocument = Static<typeof checkSchema>;
