// SPDX-License-Identifier: Apache-2.0
// A snapshot is everything that is configured at one moment: validated as a whole, canonical, frozen, and named by the
// hash of its content. Each capability owns a section of the document (section.ts); the composition root puts the
// sections together.
//
// The id is a hash of hashes. Every section contributes a digest of its own, and a section with many parts makes its
// digest from the digests of the parts: when one part of thousands changes, only that part and the list of hashes are
// hashed again. A section that says nothing (its model equals `empty`) contributes nothing. So the id of a snapshot
// stays the same when the program gets another kind of section.
//
// A document may be in several files (includes.ts), with variables of the environment (variables.ts). A snapshot knows
// nothing of either: it has what the files say together, with the values of the variables.
import Type, { type TSchema } from 'typebox';
import { ConfigError, SystemError } from '../errors.ts';
import type { Finding, Subject } from '../explanation.ts';
import { type CheckedGroup, nothingObserved, type Observed } from '../observed.ts';
import { canonicalJson, deepFreeze, sha256 } from './canonical.ts';
import { checkNode } from './check.ts';
import { DefinedNames } from './defined-names.ts';
import { type DocumentFiles, includeKey, includeSchema, readDocument } from './includes.ts';
import { type ConfigNode, mapNode, nodeOf } from './node.ts';
import { Problems } from './problems.ts';
import { DocumentReader } from './reader.ts';
import { viewOf } from './schema-view.ts';
import { type NamedSecret, secretError, secretsIn } from './secret.ts';
import type { Section, Surroundings } from './section.ts';
import { parseYaml } from './yaml.ts';

export type Sections = readonly Section[];

type ModelOf<S> = S extends Section<string, infer Model, infer _Change> ? Model : never;
type ChangeOf<S> = S extends Section<string, infer _Model, infer Change> ? Change : never;

/** The models by the keys of their sections. */
export type Models<S extends Sections> = { readonly [One in S[number] as One['key']]: ModelOf<One> };

export type Snapshot<S extends Sections> = Models<S> & { readonly id: string };

/** A change of a section: `{ section: 'director', change: … }`. */
export type SectionChange<S extends Sections> = {
  [One in S[number] as One['key']]: { readonly section: One['key']; readonly change: ChangeOf<One> };
}[S[number]['key']];

export interface DocumentOptions {
  readonly $id: string;
  readonly title: string;
  readonly description: string;
  /** Keys that do not exist but that people may look for, each with what exists instead. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

const includeRemedy = 'only a file can include others: put everything into one document';

/** The functions that read, compare and write documents made of these sections. */
export class DocumentFormat<const S extends Sections> {
  readonly sections: S;
  /** The schema of the whole document. */
  readonly schema: TSchema;
  // Only the outermost keys: the schema of each section checks what is below its own key.
  readonly #keysSchema: TSchema;
  /** By key: the digest of the model of a section that says nothing. */
  readonly #emptyDigests: ReadonlyMap<string, string>;

  /** Throws a TypeError when two sections have the same key, or when a schema has a keyword that is not checked. */
  constructor(sections: S, options: DocumentOptions) {
    const keys = sections.map(({ key }) => key);
    // `id` names the snapshot itself.
    const taken = keys.find((key, index) => ['id', includeKey].includes(key) || keys.indexOf(key) < index);
    if (taken !== undefined) throw new TypeError(`a section cannot have the key ${taken}: it is taken`);
    this.sections = sections;
    const schemaOf = (part: (section: Section) => TSchema, more: Record<string, TSchema>, elsewhere = {}) =>
      Type.Object(
        { ...Object.fromEntries(sections.map(section => [section.key, Type.Optional(part(section))])), ...more },
        { ...options, elsewhere: { ...options.elsewhere, ...elsewhere }, additionalProperties: false },
      );
    this.schema = schemaOf(({ schema }) => schema, { [includeKey]: Type.Optional(includeSchema) });
    // A document that includes others has been put together before its keys are checked.
    this.#keysSchema = schemaOf(() => Type.Unknown(), {}, { [includeKey]: includeRemedy });
    viewOf(this.schema);
    this.#emptyDigests = new Map(sections.map(section => [section.key, section.digest(deepFreeze(section.empty))]));
  }

  /**
   * A text that stands for itself: it includes no files and has no variables but those with a default. Throws a
   * ConfigError, or ConfigErrors with all that is wrong.
   */
  parse(text: string, file?: string): Snapshot<S> {
    const problems = new Problems();
    const node = parseYaml(text, file, problems, {});
    if (node !== undefined) {
      const snapshot = this.#read(node, problems);
      if (problems.count === 0) return snapshot;
    }
    return problems.throwAll();
  }

  /** The same from a file, with all that it includes. */
  async load(file: string, files: DocumentFiles): Promise<Snapshot<S>> {
    const problems = new Problems();
    const node = await readDocument(file, files, viewOf(this.schema), problems);
    if (node !== undefined) {
      const snapshot = this.#read(node, problems);
      if (problems.count === 0) await this.#checkSecrets(node, files, problems);
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

  /** Freezes the models and names them. A section without a model says nothing. */
  snapshot(models: Partial<Models<S>>): Snapshot<S> {
    const given = models as Readonly<Record<string, unknown>>;
    const all: Record<string, unknown> = {};
    const digests: Record<string, string> = {};
    for (const section of this.sections) {
      const { key } = section;
      const model = deepFreeze(given[key] ?? section.empty);
      const digest = section.digest(model);
      all[key] = model;
      if (digest !== this.#emptyDigests.get(key)) digests[key] = digest;
    }
    return Object.freeze({ ...all, id: sha256(canonicalJson(digests)) }) as Snapshot<S>;
  }

  compare(before: Snapshot<S>, after: Snapshot<S>): SectionChange<S>[] {
    if (before.id === after.id) return [];
    const changes = this.sections.flatMap(section =>
      section
        .compare(modelIn(before, section.key), modelIn(after, section.key))
        .map(change => ({ section: section.key, change })),
    );
    return changes as SectionChange<S>[];
  }

  describe(changes: readonly SectionChange<S>[]): string[] {
    const plain = changes as readonly { readonly section: string; readonly change: unknown }[];
    return plain.map(({ section, change }) => this.#section(section).describe(change));
  }

  /** The snapshot as a document, defaults left out. `from` makes the same snapshot of this document. */
  write(snapshot: Snapshot<S>): Record<string, unknown> {
    const entries = this.sections.map(section => [section.key, section.write(modelIn(snapshot, section.key))] as const);
    return Object.fromEntries(entries.filter(([, part]) => part !== undefined));
  }

  /** The keys of the sections that say something in the snapshot. */
  present(snapshot: Snapshot<S>): string[] {
    const keys = this.sections.map(({ key }) => key);
    return keys.filter(key => this.digest(key, modelIn(snapshot, key)) !== this.#emptyDigests.get(key));
  }

  /** The digest of a section's model, which is frozen. */
  digest(key: string, model: unknown): string {
    return this.#section(key).digest(model);
  }

  /** The model that the plane of a section has to run, given what was observed. The snapshot stays as it is. */
  effective<Key extends string>(
    key: Key,
    snapshot: Snapshot<S>,
    observed: Observed = nothingObserved,
  ): Key extends keyof Models<S> ? Models<S>[Key] : unknown {
    const model = modelIn(snapshot, key);
    const effective = this.#section(key).effective?.(model, this.#surroundings(snapshot, observed));
    return deepFreeze(effective ?? model) as ReturnType<typeof this.effective<Key>>;
  }

  /** What a person may ask about by these names, in all sections. */
  subjects(snapshot: Snapshot<S>, named: Partial<Subject>): readonly Subject[] {
    return this.sections.flatMap(section => section.subjects?.(modelIn(snapshot, section.key), named) ?? []);
  }

  /** What the snapshot and an observation mean for a subject, and why. */
  explain(snapshot: Snapshot<S>, observed: Observed, subject: Subject): readonly Finding[] {
    const surroundings = this.#surroundings(snapshot, observed);
    return this.sections.flatMap(
      section => section.explain?.(modelIn(snapshot, section.key), surroundings, subject) ?? [],
    );
  }

  /** Equal for snapshots that say the same about a subject. */
  said(snapshot: Snapshot<S>, subject: Subject): string {
    return canonicalJson(this.sections.map(section => section.said?.(modelIn(snapshot, section.key), subject) ?? null));
  }

  /** What all sections of the snapshot want checked is looked for when a section asks. */
  #surroundings(snapshot: Snapshot<S>, observed: Observed): Surroundings {
    const { sections } = this;
    return {
      observed,
      get checked(): readonly CheckedGroup[] {
        return sections.flatMap(section => section.checked?.(modelIn(snapshot, section.key)) ?? []);
      },
    };
  }

  /** Of how many parts the model of a section consists, for the time that its plane may take. */
  size(key: string, model: unknown): number {
    return this.#section(key).size?.(model) ?? 0;
  }

  /** The secrets that a section's model names. */
  secrets(key: string, model: unknown): NamedSecret[] {
    const section = this.#section(key);
    const schema = viewOf(section.schema);
    return [...secretsIn(schema, () => nodeOf(section.write(model) ?? {}), [key])];
  }

  async #checkSecrets(document: ConfigNode, files: DocumentFiles, problems: Problems): Promise<void> {
    for (const secret of secretsIn(viewOf(this.schema), () => document, [])) {
      try {
        await files.checkSecret(secret.file);
      } catch (error) {
        if (!(error instanceof ConfigError || error instanceof SystemError)) throw error;
        problems.add(secretError(error, secret));
      }
    }
  }

  #section(key: string): Section {
    const found = this.sections.find(section => section.key === key);
    if (found === undefined) throw new TypeError(`there is no section ${key}`);
    return found;
  }

  #read(document: ConfigNode, problems: Problems): Snapshot<S> {
    checkNode(this.#keysSchema, document, [], problems);
    const entries = document.kind === 'map' ? document.entries : mapNode(new Map()).entries;
    const models: Record<string, unknown> = {};
    const readers = new Map<Section, DocumentReader>();
    const defined = new DefinedNames();
    for (const section of this.sections) {
      const before = problems.count;
      const entry = entries.get(section.key);
      let model = section.empty;
      if (entry !== undefined) {
        const reader = new DocumentReader(entry.value, section.schema, [section.key], problems);
        readers.set(section, reader);
        model = section.read(reader);
      }
      models[section.key] = model;
      const names = section.names?.(model) ?? {};
      for (const [kind, list] of Object.entries(names)) defined.add(kind, list, problems.count === before);
    }
    // Last, because a section may refer to one that stands after it.
    for (const [section, reader] of readers) section.check?.(reader, defined);
    return this.snapshot(models as Partial<Models<S>>);
  }
}

function modelIn(snapshot: object, key: string): unknown {
  return (snapshot as Readonly<Record<string, unknown>>)[key];
}
