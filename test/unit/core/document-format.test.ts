// SPDX-License-Identifier: Apache-2.0
// A document made of sections: references between sections, the identity of snapshots, and what a section's schema may say.
import { readdirSync, readFileSync } from 'node:fs';
import Type, { type TSchema } from 'typebox';
import { describe, expect, it } from 'vitest';
import { canonicalJson, sha256 } from '../../../src/core/config/canonical.ts';
import { referenceOf } from '../../../src/core/config/reference.ts';
import type { Section } from '../../../src/core/config/section.ts';
import { DocumentFormat } from '../../../src/core/config/snapshot.ts';
import type { CheckedGroup, Observed } from '../../../src/core/observed.ts';
import { documentFormat } from '../../../src/daemon/document.ts';

/** A section whose model is the document itself. */
function plainSection<Key extends string, Model extends object>(
  key: Key,
  schema: TSchema,
  empty: Model,
  more: Partial<Section<Key, Model, string>> = {},
): Section<Key, Model, string> {
  return {
    key,
    schema,
    empty,
    read: reader => reader.value<Model>([]),
    write: model => (Object.keys(model).length === 0 ? undefined : model),
    digest: model => sha256(canonicalJson(model)),
    compare: (before, after) => (canonicalJson(before) === canonicalJson(after) ? [] : [`~ ${key}`]),
    describe: change => change,
    ...more,
  };
}

const closed = { additionalProperties: false } as const;
const options = { $id: 'urn:test', title: 'test', description: 'A test.' };

const gardens = plainSection(
  'gardens',
  Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.Integer({ minimum: 1 }), closed),
  {} as Record<string, number>,
  { names: model => ({ garden: Object.keys(model) }) },
);

const visits = plainSection(
  'visits',
  Type.Object({ first: Type.Optional(Type.String()), list: Type.Optional(Type.Array(Type.String())) }, closed),
  {} as { first?: string; list?: string[] },
  {
    check(reader, defined) {
      reader.refer(['first'], 'garden', defined);
      for (const index of reader.steps(['list'])) reader.refer(['list', index], 'garden', defined);
    },
  },
);

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

describe('a reference to another section', () => {
  // The section that refers comes first: the order of sections has no meaning.
  const format = new DocumentFormat([visits, gardens], options);
  const parse = (text: string) => messageOf(() => format.parse(text, 'a.yaml'));

  it('is fine when the other section defines the name', () => {
    const snapshot = format.parse('visits: { first: rose }\ngardens: { rose: 1 }\n');
    expect(snapshot.visits.first).toBe('rose');
    expect(snapshot.gardens.rose).toBe(1);
  });

  it('is reported with its place and the name that was probably meant', () => {
    expect(parse('visits:\n  list: [rose, rsoe]\ngardens: { rose: 1, lily: 2 }\n')).toBe(
      'a.yaml:2:16: visits.list[1] names a garden that is not defined: "rsoe" (did you mean rose?)',
    );
  });

  it('is reported when the other section is absent', () => {
    expect(parse('visits: { first: rose }')).toBe(
      'a.yaml:1:18: visits.first names a garden that is not defined: "rose" (define a garden of this name, or remove the reference)',
    );
  });

  it('to a definition with an error is not reported in addition to the error', () => {
    expect(parse('visits: { first: rose }\ngardens: { rose: none }\n')).toMatch(/^a\.yaml:2:18: gardens\.rose must be/);
  });

  it('is checked only if the schema finds no error', () => {
    expect(parse('visits: { first: [rose] }\ngardens: { lily: 1 }\n')).toMatch(/^a\.yaml:1:18: visits\.first must be/);
  });

  it('is reported by its path when a program made the configuration', () => {
    expect(messageOf(() => format.from({ visits: { first: 'rsoe' }, gardens: { rose: 1 } }))).toBe(
      'visits.first names a garden that is not defined: "rsoe" (did you mean rose?)',
    );
  });
});

describe('the id of a snapshot', () => {
  const today = documentFormat.sections;
  const later = new DocumentFormat([gardens, ...today, visits], options);
  const files = readdirSync(new URL('../../../examples', import.meta.url))
    .filter(name => name.endsWith('.yaml'))
    .map(name => [name, readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8')] as const);

  it.each(files)('of %s stays when the program gets more sections', (_name, text) => {
    expect(later.parse(text).id).toBe(documentFormat.parse(text).id);
  });

  it('stays when a section is empty or has only defaults', () => {
    const { id } = documentFormat.from({});
    expect(documentFormat.from({ director: {} }).id).toBe(id);
    expect(documentFormat.from({ director: { timeouts: { tcp: { established: 900 } } } }).id).toBe(id);
    expect(documentFormat.snapshot({}).id).toBe(id);
    expect(later.from({ gardens: {}, visits: {} }).id).toBe(id);
  });

  it('changes when another section has content', () => {
    expect(later.from({ gardens: { rose: 1 } }).id).not.toBe(later.from({}).id);
    expect(later.from({ gardens: { rose: 1 } }).id).not.toBe(later.from({ gardens: { rose: 2 } }).id);
  });
});

describe('a document', () => {
  it('with the old name of the section director is told the new one', () => {
    expect(messageOf(() => documentFormat.parse('layer4: {}\n', 'a.yaml'))).toBe(
      'a.yaml:1:1: the document has no such key: "layer4" (the section layer4 is called director now)',
    );
  });
});

describe('a document format', () => {
  it.each([
    ['two sections with one key', [gardens, gardens], 'a section cannot have the key gardens: it is taken'],
    ['a section called id', [{ ...gardens, key: 'id' }], 'a section cannot have the key id: it is taken'],
  ])('refuses %s', (_name, sections, message) => {
    expect(() => new DocumentFormat(sections, options)).toThrow(new TypeError(message));
  });

  it.each<[string, TSchema, string]>([
    ['exclusiveMinimum', Type.Integer({ exclusiveMinimum: 0 }), 'toy.x has the keyword exclusiveMinimum'],
    ['format', Type.String({ format: 'ipv4' }), 'toy.x has the keyword format'],
    ['minLength', Type.Array(Type.String({ minLength: 1 })), 'toy.x[] has the keyword minLength'],
    ['oneOf', { oneOf: [Type.String()] } as TSchema, 'toy.x has the keyword oneOf'],
    ['a range of a text', Type.String({ minimum: 1 } as Record<string, unknown>), 'toy.x has the keyword minimum'],
    ['a type that no value has', Type.Null(), 'toy.x has the type null'],
    ['an open map', Type.Object({}), 'toy.x must say additionalProperties: false'],
    [
      'a keyword below names',
      Type.Record(Type.String({ pattern: '^a' }), Type.Number({ multipleOf: 2 }), closed),
      'toy.x.NAME has the keyword multipleOf',
    ],
    [
      'a keyword in a form of a union',
      Type.Union([Type.String(), Type.Integer({ exclusiveMaximum: 3 })]),
      'toy.x has the keyword exclusiveMaximum',
    ],
    [
      'two forms of one kind',
      Type.Union([Type.Integer(), Type.Number()]),
      'toy.x has two forms of a union for values of the same kind',
    ],
    [
      'a union in a union',
      Type.Union([Type.Union([Type.String(), Type.Number()]), Type.Boolean()]),
      'toy.x has a form of a union without a type',
    ],
  ])('refuses a schema with %s', (_name, x, problem) => {
    const schema = Type.Object({ x }, closed);
    const toy = plainSection('toy', schema, {});
    expect(messageOf(() => new DocumentFormat([toy], options))).toContain(`the schema of ${problem}`);
    const document = Type.Object({ toy: schema }, closed);
    expect(messageOf(() => referenceOf(document, 'toy', ''))).toContain(`the schema of ${problem}`);
  });
});

describe('the effective models', () => {
  const group: CheckedGroup = { key: 'rose', targets: [], quorum: 1, hysteresis: 0, slowStart: 0, start: 'up' };
  const format = new DocumentFormat(
    [
      plainSection('visits', visits.schema, visits.empty, {
        effective: (model, { observed, checked }) =>
          observed.groups.has('rose') ? { list: checked.map(({ key }) => key) } : model,
      }),
      { ...gardens, checked: () => [group] },
    ],
    options,
  );
  const snapshot = format.from({ visits: { first: 'rose' }, gardens: { rose: 1 } });
  const observed: Observed = { groups: new Map([['rose', { quorum: 'down', targets: new Map() }]]) };

  it('are the models of the snapshot when nothing was observed', () => {
    expect(format.effective('visits', snapshot)).toBe(snapshot.visits);
    expect(format.effective('gardens', snapshot)).toBe(snapshot.gardens);
  });

  it('are made of what was observed, and of what all sections want checked', () => {
    const effective = format.effective('visits', snapshot, observed);
    expect(effective).toEqual({ list: ['rose'] });
    expect(Object.isFrozen(effective)).toBe(true);
    expect(format.effective('gardens', snapshot, observed)).toBe(snapshot.gardens);
    expect(snapshot.visits.first).toBe('rose');
  });
});
