// SPDX-License-Identifier: Apache-2.0
// What a capability says about its own part of the document. The composition root puts the sections of all capabilities
// into one document format (snapshot.ts).
//
// Reading a document takes three steps:
// 1. `DocumentReader` checks each part that was written against the schema of its section.
// 2. `read` makes the model of each part. A section whose part was not written has the model `empty`.
// 3. `check` compares what a section refers to with the names that the other sections define.
import type { TSchema } from 'typebox';
import type { Finding, Subject } from '../explanation.ts';
import type { CheckedGroup, Observed } from '../observed.ts';
import type { DefinedNames } from './defined-names.ts';
import type { DocumentReader } from './reader.ts';

/** What the effective model of a section depends on besides the section itself. */
export interface Surroundings {
  readonly observed: Observed;
  /** What all sections want checked. */
  readonly checked: readonly CheckedGroup[];
}

/** A capability's part of the document. */
export interface Section<Key extends string = string, Model = unknown, Change = unknown> {
  /** The key of the part in the document, and of the model in a snapshot. This is the only place that says it. */
  readonly key: Key;
  /** The part as a person writes it. */
  readonly schema: TSchema;
  /** The model of a part that was not written. */
  readonly empty: Model;
  /** The canonical model of a part that was written. Whatever the schema cannot express is reported to the reader. */
  read(reader: DocumentReader): Model;
  /**
   * The names of the things that other sections may refer to, by kind: `{ pool: ['local', 'public'] }`. The kinds are
   * the same for every model.
   */
  names?(model: Model): Readonly<Record<string, Iterable<string>>>;
  /** Checks references to what other sections define, such as `reader.refer(['pool'], 'pool', defined)`. */
  check?(reader: DocumentReader, defined: DefinedNames): void;
  /** The model as a document writes it, defaults left out; undefined when nothing is left. */
  write(model: Model): unknown;
  /** Equal for equal models. The model is frozen. */
  digest(model: Model): string;
  /** Of how many parts the model consists, where there may be very many. */
  size?(model: Model): number;
  /** The changes that lead from one model to another, in an order in which they can be applied. */
  compare(before: Model, after: Model): Change[];
  /** A change in a line of text. */
  describe(change: Change): string;
  /** What the section wants checked. The same objects for the same parts of a model. */
  checked?(model: Model): readonly CheckedGroup[];
  /**
   * The model that the plane has to run, given what was observed and what all sections want checked. The function is
   * pure: it changes no argument, and it returns the model itself when the observation changes nothing.
   */
  effective?(model: Model, surroundings: Surroundings): Model;
  /** What a person may ask about by these names: groups, or, where a target is named, targets in groups. */
  subjects?(model: Model, named: Partial<Subject>): readonly Subject[];
  /** What `effective` makes of the subject, and why. */
  explain?(model: Model, surroundings: Surroundings, subject: Subject): readonly Finding[];
  /** What the model says about the subject: equal values while nobody has changed it. */
  said?(model: Model, subject: Subject): unknown;
}
