// SPDX-License-Identifier: Apache-2.0
// The section `events` of the document: URLs to which control sends events. None unless the document says so.
import Type, { type Static } from 'typebox';
import { isLoopback, parseAddress } from '../../core/address.ts';
import { canonicalJson, sha256 } from '../../core/config/canonical.ts';
import { compareByKey, type KeyedChange } from '../../core/config/compare-by-key.ts';
import type { Path } from '../../core/config/node.ts';
import type { DocumentReader } from '../../core/config/reader.ts';
import { absolutePath, named, namePattern } from '../../core/config/schema-parts.ts';
import { type SecretFile, secretSchema } from '../../core/config/secret.ts';
import type { Section } from '../../core/config/section.ts';

export interface WebhookSettings {
  readonly name: string;
  readonly url: string;
  /** Is sent as `Authorization: Bearer TOKEN`. */
  readonly token: SecretFile | null;
  /** Kinds of events, or what they begin with up to a dot; null: all. */
  readonly kinds: readonly string[] | null;
  /** A file in PEM, in place of the authorities that Node knows. */
  readonly authorities: string | null;
}

export interface EventsModel {
  readonly webhooks: readonly WebhookSettings[];
}

/** `before` or `after` is undefined for a webhook that was added or removed. */
const webhookSchema = Type.Object(
  {
    url: Type.String({
      description: 'Where events are sent to, by POST. The snapshot has it: write a secret to `token`.',
      pattern: '^https?://[^\\s]+$',
      maxLength: 2048,
      form: 'a URL of http or https',
      examples: ['https://alerts.example/sluice'],
    }),
    token: Type.Optional(secretSchema('Is sent as `Authorization: Bearer TOKEN`.')),
    kinds: Type.Optional(
      Type.Array(
        Type.String({ pattern: '^[a-z][a-z-]*(\\.[a-z-]+)*$', maxLength: 64, form: 'a kind, or its beginning' }),
        {
          minItems: 1,
          description: 'Only events of these kinds: a kind, or its beginning up to a dot. All unless given.',
          examples: [['server', 'quorum.lost']],
        },
      ),
    ),
    authorities: Type.Optional(
      absolutePath('A file of certificates (PEM) that are trusted in place of those of Node.', '/etc/sluice/ca.pem'),
    ),
  },
  { additionalProperties: false, description: 'A receiver of events.' },
);

const eventsSchema = Type.Object(
  {
    webhooks: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), webhookSchema, {
        ...named,
        description: 'Receivers of events, by name.',
        examples: [{ alerts: { url: 'https://alerts.example/sluice' } }],
      }),
    ),
  },
  { additionalProperties: false, description: 'What is done with events.' },
);

type WebhookDocument = Static<typeof webhookSchema>;

export const eventsSection: Section<'events', EventsModel, KeyedChange<WebhookSettings>> = {
  key: 'events',
  schema: eventsSchema,
  empty: { webhooks: [] },
  read: reader => ({ webhooks: reader.named('webhooks', (name, path) => readWebhook(reader, name, path)) }),
  write: ({ webhooks }) =>
    webhooks.length === 0
      ? undefined
      : { webhooks: Object.fromEntries(webhooks.map(each => [each.name, writeWebhook(each)])) },
  digest: model => sha256(canonicalJson(model)),
  compare: (before, after) => compareByKey(before.webhooks, after.webhooks, ({ name }) => name),
  describe({ key: name, before, after }) {
    if (before === undefined) return `+ webhook ${name} ${words(after)}`;
    if (after === undefined) return `- webhook ${name} ${words(before)}`;
    return `~ webhook ${name}: ${words(before)} → ${words(after)}`;
  },
};

function readWebhook(reader: DocumentReader, name: string, path: Path): WebhookSettings | undefined {
  const { url: text, token = null, kinds = null, authorities = null } = reader.value<WebhookDocument>(path);
  const at = [...path, 'url'];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return reader.report(at, 'is no URL', text, 'write it as https://HOST/PATH');
  if (url.username !== '' || url.password !== '') {
    return reader.report(at, 'has a password, which everybody could read', `${url.origin}/…`, 'use a token');
  }
  if (token !== null && url.protocol === 'http:' && !isThisHost(url.hostname)) {
    return reader.report([...path, 'token'], 'would travel in the clear', text, 'use https, or a loopback address');
  }
  if (authorities !== null && url.protocol === 'http:') {
    return reader.report([...path, 'authorities'], 'goes with https only', text, 'use https, or remove it');
  }
  return { name, url: url.href, token, kinds: kinds?.toSorted() ?? null, authorities };
}

function isThisHost(name: string): boolean {
  const address = parseAddress(name.replace(/^\[(.*)\]$/, '$1'));
  return name === 'localhost' || (address !== undefined && isLoopback(address));
}

function writeWebhook({ url, token, kinds, authorities }: WebhookSettings): WebhookDocument {
  return {
    url,
    ...(token === null ? {} : { token }),
    ...(kinds === null ? {} : { kinds: [...kinds] }),
    ...(authorities === null ? {} : { authorities }),
  };
}

function words(settings: WebhookSettings | undefined): string {
  return settings === undefined ? '' : JSON.stringify(writeWebhook(settings));
}
