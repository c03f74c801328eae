// SPDX-License-Identifier: Apache-2.0
// Secrets by file: a document names the file of a password or key, and never has its content. A snapshot holds the path
// alone. A plane reads the content when it prepares (PlaneEnvironment in src/daemon/composition.ts).
import Type from 'typebox';
import { ConfigError, type Place, type SluiceError } from '../errors.ts';
import { type ConfigNode, formatPath, type Path } from './node.ts';
import type { SchemaView } from './schema-view.ts';

/** A secret as a document and a model name it. */
export interface SecretFile {
  readonly file: string;
}

/** The schema of a secret: `password: { file: /etc/sluice/secrets/password }`. */
export function secretSchema(description: string) {
  return Type.Object(
    {
      file: Type.String({
        description: 'The file that has the secret. Only its owner, root, may read it.',
        pattern: '^/',
        maxLength: 1024,
        form: 'an absolute path',
        examples: ['/etc/sluice/secrets/password'],
      }),
    },
    {
      description,
      additionalProperties: false,
      secret: true,
      elsewhere: { value: 'a document has no secrets: write the value to a file, and its path here as file' },
    },
  );
}

export interface NamedSecret {
  readonly file: string;
  readonly path: Path;
  readonly place: Place | undefined;
}

/** The secrets that a document names. `node` is called only where the schema has a secret at all. */
export function* secretsIn(schema: SchemaView, node: () => ConfigNode, path: Path): Generator<NamedSecret> {
  if (hasSecret(schema)) yield* find(schema, node(), path);
}

/** That this secret cannot be used, with its place in the document. */
export function secretError({ problem, remedy }: SluiceError, { file, path, place }: NamedSecret): ConfigError {
  return new ConfigError('SLUICE_CONFIG_INVALID', `${formatPath(path)}: ${problem}`, { place, value: file, remedy });
}

const known = new WeakMap<SchemaView, boolean>();

function hasSecret(schema: SchemaView): boolean {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const { anyOf = [], items, properties = {}, patternProperties = {} } = schema;
  const parts = [...anyOf, ...Object.values(properties), ...Object.values(patternProperties)];
  if (items !== undefined) parts.push(items);
  const has = schema.secret === true || parts.some(hasSecret);
  known.set(schema, has);
  return has;
}

function* find(schema: SchemaView, node: ConfigNode, path: Path): Generator<NamedSecret> {
  for (const form of [schema, ...(schema.anyOf ?? [])]) {
    if (!hasSecret(form)) continue;
    if (node.kind === 'list' && form.items !== undefined) {
      for (const [index, item] of node.items.entries()) yield* find(form.items, item, [...path, index]);
    }
    if (node.kind !== 'map') continue;
    const file = node.entries.get('file')?.value;
    if (form.secret === true && file?.kind === 'scalar') yield { file: String(file.value), path, place: file.place };
    const [named] = Object.values(form.patternProperties ?? {});
    for (const [key, { value }] of node.entries) {
      const below = Object.hasOwn(form.properties ?? {}, key) ? form.properties?.[key] : named;
      if (below !== undefined) yield* find(below, value, [...path, key]);
    }
  }
}
