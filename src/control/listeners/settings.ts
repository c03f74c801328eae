// SPDX-License-Identifier: Apache-2.0
// The section `api` of the document: TCP ports on which control answers besides the admin socket. There are none unless
// the document says so.
import Type, { type Static } from 'typebox';
import { isLoopback } from '../../core/address.ts';
import { canonicalJson, sha256 } from '../../core/config/canonical.ts';
import { compareByKey, type KeyedChange } from '../../core/config/compare-by-key.ts';
import type { Path } from '../../core/config/node.ts';
import type { DocumentReader } from '../../core/config/reader.ts';
import { absolutePath, named, namePattern } from '../../core/config/schema-parts.ts';
import { type SecretFile, secretSchema } from '../../core/config/secret.ts';
import type { Section } from '../../core/config/section.ts';
import { formatEndpoint, parseEndpoint } from '../../core/endpoint.ts';

export interface ListenerTls {
  /** A file in PEM, with the chain. */
  readonly certificate: string;
  readonly key: SecretFile;
  /** A file of authorities in PEM: a client has to have a certificate of one of them. */
  readonly clients: string | null;
}

export interface ListenerSettings {
  /** `10.0.0.5:9843`, in its canonical form. */
  readonly address: string;
  readonly routes: 'metrics' | 'all';
  /** By name. A client has to know one of them; none: no token is asked for. */
  readonly tokens: Readonly<Record<string, SecretFile>>;
  readonly tls: ListenerTls | null;
}

export interface ApiModel {
  readonly listen: readonly ListenerSettings[];
}

/** `before` or `after` is undefined for a listener that was added or removed. */
/** Lower ports can be opened by root alone, and control has no power of root. */
const lowestPort = 1024;

const closed = { additionalProperties: false } as const;

const listenerSchema = Type.Object(
  {
    address: Type.String({
      description: `The address and port; the port is ${lowestPort} or higher.`,
      maxLength: 64,
      form: 'an address with a port',
      examples: ['10.0.0.5:9843'],
    }),
    routes: Type.Optional(
      Type.Enum(['metrics', 'all'], {
        description: '`metrics`: only GET /metrics. `all`: everything that the admin socket answers, changes included.',
        default: 'metrics',
      }),
    ),
    tokens: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), secretSchema('The token.'), {
        ...named,
        description: 'Tokens by name. A client has to send one of them; the name becomes the author of its changes.',
        examples: [{ deploy: { file: '/etc/sluice/secrets/control/deploy' } }],
      }),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          certificate: absolutePath('A file with the certificate and its chain (PEM).', '/etc/sluice/api.pem'),
          key: secretSchema('The key of this certificate (PEM).'),
          clients: Type.Optional(
            absolutePath(
              'A file of authorities (PEM). A client has to have a certificate of one of them.',
              '/etc/sluice/clients.pem',
            ),
          ),
        },
        { ...closed, description: 'TLS. Unless given, HTTP travels in the clear.' },
      ),
    ),
  },
  { ...closed, description: 'A TCP port.' },
);

const apiSchema = Type.Object(
  {
    listen: Type.Optional(
      Type.Array(listenerSchema, {
        maxItems: 16,
        description: 'TCP ports on which the API or the metrics are answered, besides the admin socket.',
      }),
    ),
  },
  { ...closed, description: 'Access to the API over the network. Closed unless given.' },
);

type ListenerDocument = Static<typeof listenerSchema>;

export const emptyApiModel: ApiModel = { listen: [] };

export const apiSection: Section<'api', ApiModel, KeyedChange<ListenerSettings>> = {
  key: 'api',
  schema: apiSchema,
  empty: emptyApiModel,
  read(reader) {
    const listen = new Map<string, ListenerSettings>();
    for (const index of reader.steps(['listen'])) {
      const path = ['listen', index];
      const settings = reader.sound(path) ? readListener(reader, path) : undefined;
      if (settings === undefined) continue;
      if (listen.has(settings.address)) {
        reader.conflict([...path, 'address'], 'stands here twice', settings.address, 'remove one of the two');
      }
      listen.set(settings.address, settings);
    }
    return { listen: [...listen.values()].toSorted((a, b) => (a.address < b.address ? -1 : 1)) };
  },
  write: ({ listen }) => (listen.length === 0 ? undefined : { listen: listen.map(writeListener) }),
  digest: model => sha256(canonicalJson(model)),
  compare: (before, after) => compareByKey(before.listen, after.listen, ({ address }) => address),
  describe({ key: address, before, after }) {
    if (before === undefined) return `+ api listens on ${address}: ${words(after)}`;
    if (after === undefined) return `- api listens on ${address}: ${words(before)}`;
    return `~ api listens on ${address}: ${words(before)} → ${words(after)}`;
  },
};

function readListener(reader: DocumentReader, path: Path): ListenerSettings | undefined {
  const written = reader.value<ListenerDocument>(path);
  const at = [...path, 'address'];
  const endpoint = parseEndpoint(written.address);
  if ('fault' in endpoint) return reader.report(at, endpoint.fault, written.address, endpoint.remedy);
  const { address, port } = endpoint;
  if (port === undefined) return reader.report(at, 'has no port', written.address, `write ${written.address}:9843`);
  if (port < lowestPort) {
    const remedy = `use a port from ${lowestPort} on: control, which listens, has no power of root`;
    return reader.report(at, 'has a port that root alone can open', written.address, remedy);
  }
  const { routes = 'metrics', tokens = {}, tls } = written;
  const hasTokens = Object.keys(tokens).length > 0;
  if (hasTokens && tls === undefined && !isLoopback(address)) {
    const remedy = 'add tls, or listen on a loopback address such as 127.0.0.1';
    return reader.report([...path, 'tokens'], 'would travel in the clear', formatEndpoint(address.text, port), remedy);
  }
  if (routes === 'all' && !hasTokens && tls?.clients === undefined) {
    const remedy = 'add tokens, or tls.clients; or use routes: metrics';
    return reader.report([...path, 'routes'], 'lets everybody who reaches the port change everything', routes, remedy);
  }
  return {
    ...{ address: formatEndpoint(address.text, port), routes, tokens },
    tls: tls === undefined ? null : { ...tls, clients: tls.clients ?? null },
  };
}

function writeListener({ address, routes, tokens, tls }: ListenerSettings): ListenerDocument {
  return {
    address,
    ...(routes === 'metrics' ? {} : { routes }),
    ...(Object.keys(tokens).length === 0 ? {} : { tokens }),
    ...(tls === null ? {} : { tls: writeTls(tls) }),
  };
}

function writeTls({ certificate, key, clients }: ListenerTls): NonNullable<ListenerDocument['tls']> {
  return { certificate, key, ...(clients === null ? {} : { clients }) };
}

function words(settings: ListenerSettings | undefined): string {
  if (settings === undefined) return '';
  const { address: _, ...rest } = writeListener(settings);
  return JSON.stringify({ routes: settings.routes, ...rest });
}
