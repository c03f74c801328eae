// SPDX-License-Identifier: Apache-2.0
// The part of JSON Schema that Sluice's schemas use. The checker (check.ts) and the reference page (reference.ts) walk
// a schema through this view. A keyword that neither of them knows would be ignored silently, so `viewOf` looks through
// the whole schema first and throws when it finds such a keyword.
import type { TSchema } from 'typebox';

/** The keywords of JSON Schema that Sluice's schemas use. */
export interface SchemaView {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SchemaView[];
  readonly properties?: Readonly<Record<string, SchemaView>>;
  readonly patternProperties?: Readonly<Record<string, SchemaView>>;
  readonly required?: readonly string[];
  readonly items?: SchemaView;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly default?: unknown;
  readonly examples?: unknown;
  readonly description?: string;
  /** What a number counts: 'seconds', 'flows'. */
  readonly unit?: string;
  /** What a text is: 'an address with a port'. */
  readonly form?: string;
  /** What to do when the value is not allowed, where "write another value" is not enough. */
  readonly remedy?: string;
  /** Of a map that names a secret (secret.ts). */
  readonly secret?: boolean;
  /** Keys that do not exist here but that people may look for, each with what exists instead. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

// Keywords that describe a value and forbid nothing. Every schema may have them.
const describingKeywords = ['$id', 'title', 'description', 'default', 'examples', 'unit', 'form', 'remedy'];

// Keywords that say which values are allowed, for each type.
const keywordsOfType = new Map<unknown, readonly string[]>([
  ['object', ['properties', 'patternProperties', 'required', 'additionalProperties', 'elsewhere', 'secret']],
  ['array', ['items', 'minItems', 'maxItems']],
  ['string', ['pattern', 'maxLength']],
  ['integer', ['minimum', 'maximum']],
  ['number', ['minimum', 'maximum']],
  ['boolean', []],
]);

const known = new WeakSet<object>();

/**
 * The schema as a view. Throws a TypeError when the schema has something that Sluice does not check: a programmer sees
 * it as soon as the document format is made, long before anybody reads a document.
 */
export function viewOf(schema: TSchema): SchemaView {
  if (!known.has(schema)) {
    requireKnown(schema as object as Record<string, unknown>, '');
    known.add(schema);
  }
  return schema as SchemaView;
}

function requireKnown(schema: Readonly<Record<string, unknown>>, path: string): void {
  const view = schema as SchemaView;
  const fail = (problem: string): never => {
    throw new TypeError(`the schema of ${path === '' ? 'the document' : path} ${problem}`);
  };
  const allowed = [...describingKeywords, ...ownKeywords(view, fail)];
  for (const keyword of Object.keys(schema)) {
    if (!allowed.includes(keyword)) fail(`has the keyword ${keyword}, which would not be checked`);
  }
  if (view.type === 'object' && schema.additionalProperties !== false) {
    fail('must say additionalProperties: false, because unknown keys are errors');
  }
  if (view.anyOf !== undefined) requireDistinctForms(view.anyOf, fail);
  for (const form of view.anyOf ?? []) requireKnown(form as Record<string, unknown>, path);
  const step = (key: string) => (path === '' ? key : `${path}.${key}`);
  for (const [key, part] of Object.entries(view.properties ?? {})) {
    requireKnown(part as Record<string, unknown>, step(key));
  }
  for (const part of Object.values(view.patternProperties ?? {})) {
    requireKnown(part as Record<string, unknown>, step('NAME'));
  }
  if (view.items !== undefined) requireKnown(view.items as Record<string, unknown>, `${path}[]`);
}

// The keywords that may say which values are allowed.
function ownKeywords(view: SchemaView, fail: (problem: string) => never): readonly string[] {
  if (view.anyOf !== undefined) return ['anyOf'];
  // A constant is checked by its value alone. TypeBox writes the type of a constant too.
  if (constantsOf(view) !== undefined) return ['const', 'enum', 'type'];
  // A schema without a type allows everything: another schema checks that part of the document.
  if (view.type === undefined) return [];
  const keywords = keywordsOfType.get(view.type);
  return keywords !== undefined ? ['type', ...keywords] : fail(`has the type ${view.type}, which would not be checked`);
}

// The checker chooses the form of a union by the kind of the value: text, number, true or false, list, map.
function requireDistinctForms(forms: readonly SchemaView[], fail: (problem: string) => never): void {
  const kinds = forms.filter(form => constantsOf(form) === undefined).map(kindOf);
  if (kinds.includes(undefined)) fail('has a form of a union without a type');
  if (new Set(kinds).size < kinds.length) fail('has two forms of a union for values of the same kind');
}

/** Numbers with and without a fraction are one kind. */
function kindOf({ type }: SchemaView): string | undefined {
  return type === 'integer' ? 'number' : type;
}

/** The values of a schema that allows constants only; undefined for any other schema. */
export function constantsOf(schema: SchemaView): readonly unknown[] | undefined {
  return schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
}

/** The name of a schema's values, as a sentence uses it. */
export function nameOf(schema: SchemaView): string {
  if (schema.form !== undefined && schema.type !== 'object') return schema.form;
  switch (schema.type) {
    case 'object':
      return 'a map';
    case 'array':
      return 'a list';
    case 'integer':
      return 'a whole number';
    case 'string':
      return 'a text';
    case 'boolean':
      return 'true or false';
    default:
      return schema.type === undefined ? 'another value' : `a ${schema.type}`;
  }
}
