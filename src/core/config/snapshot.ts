// SPDX-License-Identifier: Apache-2.0
// A snapshot is everything that is configured, at one moment: validated whole, canonical, frozen, and named by the hash
// of its content. Each capability owns a section of the document; the composition root puts the sections together.
//
// The id is a hash of hashes: every section contributes a digest of its own, and a section with many parts makes its
// digest from theirs. An edit of one part of thousands costs the hash of that part and of the list of hashes.
import Type, { type TSchema } from 'typebox';
import { canonicalJson, deepFreeze, sha256 } from './canonical.ts';
import { checkNode } from './check.ts';
import { type ConfigNode, mapNode, nodeOf } from './node.ts';
import { Problems } from './problems.ts';
import { parseYaml } from './yaml.ts';

/** One capability's part of the document. */
export interface Section<Model, Change> {
  /** The part as it is written. */
  readonly schema: TSchema;
  /** The canonical model; problems are reported. `node` is undefined where the document does not have the part. */
  read(node: ConfigNode | undefined, problems: Problems): Model;
  /** The model as a document writes it, defaults left out; undefined where nothing is left. */
  write(model: Model): unknown;
  /** Equal for equal models. The model is frozen. */
  digest(model: Model): string;
  /** What leads from one model to another, in an order in which it can be applied. */
  compare(before: Model, after: Model): Change[];
  /** A change in a line of text. */
  describe(change: Change): string;
}

export type Sections = Readonly<Record<string, Section<unknown, unknown>>>;

type ModelOf<S> = S extends Section<infer Model, infer _Change> ? Model : never;
type ChangeOf<S> = S extends Section<infer _Model, infer Change> ? Change : never;

export type Models<S extends Sections> = { readonly [Key in keyof S]: ModelOf<S[Key]> };

export type Snapshot<S extends Sections> = Models<S> & { readonly id: string };

/** A change of a section: `{ section: 'director', change: … }`. */
export type SectionChange<S extends Sections> = {
  [Key in keyof S]: { readonly section: Key; readonly change: ChangeOf<S[Key]> };
}[keyof S];

/** The functions that read, compare and write documents made of these sections. */
export class DocumentFormat<const S extends Sections> {
  readonly sections: S;
  /** The schema of the whole document. */
  readonly schema: TSchema;

  constructor(sections: S, options: { readonly $id: string; readonly title: string; readonly description: string }) {
    this.sections = sections;
    const properties = Object.entries(sections).map(([key, { schema }]) => [key, Type.Optional(schema)]);
    this.schema = Type.Object(Object.fromEntries(properties), { ...options, additionalProperties: false });
  }

  /** Throws a ConfigError, or ConfigErrors with all that is wrong. */
  parse(text: string, file?: string): Snapshot<S> {
    const problems = new Problems();
    const node = parseYaml(text, file, problems);
    if (node !== undefined) {
      const snapshot = this.#read(node, problems);
      if (problems.count === 0) return snapshot;
    }
    return problems.throwAll();
  }

  /** The same from a plain value: a configuration that a program has made. */
  from(value: unknown): Snapshot<S> {
    const problems = new Problems();
    const snapshot = this.#read(nodeOf(value), problems);
    problems.throwIfAny();
    return snapshot;
  }

  /** Freezes the models and names them. */
  snapshot(models: Models<S>): Snapshot<S> {
    const digests: Record<string, string> = {};
    for (const [key, section] of Object.entries(this.sections)) {
      digests[key] = section.digest(deepFreeze((models as Record<string, unknown>)[key]));
    }
    return Object.freeze({ ...models, id: sha256(canonicalJson(digests)) }) as Snapshot<S>;
  }

  compare(before: Snapshot<S>, after: Snapshot<S>): SectionChange<S>[] {
    if (before.id === after.id) return [];
    const changes: { section: string; change: unknown }[] = [];
    for (const [key, section] of Object.entries(this.sections)) {
      for (const change of section.compare(before[key], after[key])) changes.push({ section: key, change });
    }
    return changes as SectionChange<S>[];
  }

  describe(changes: readonly SectionChange<S>[]): string[] {
    return changes.map(({ section, change }) => this.sections[section]?.describe(change) ?? String(section));
  }

  /** The snapshot as a document, defaults left out: `from` makes the same snapshot of it. */
  write(snapshot: Snapshot<S>): Record<string, unknown> {
    const entries = Object.entries(this.sections).map(([key, section]) => [key, section.write(snapshot[key])] as const);
    return Object.fromEntries(entries.filter(([, part]) => part !== undefined));
  }

  #read(node: ConfigNode, problems: Problems): Snapshot<S> {
    // Only the outermost keys; each section checks what is below its own.
    const keys = Object.keys(this.sections).map(key => [key, Type.Optional(Type.Unknown())]);
    checkNode(Type.Object(Object.fromEntries(keys), { additionalProperties: false }), node, [], problems);
    const entries = node.kind === 'map' ? node.entries : mapNode(new Map()).entries;
    const models = Object.entries(this.sections).map(([key, section]) => [
      key,
      section.read(entries.get(key)?.value, problems),
    ]);
    return this.snapshot(Object.fromEntries(models) as Models<S>);
  }
}
