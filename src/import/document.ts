// SPDX-License-Identifier: Apache-2.0
// What an import writes: the sections of a sluice.yaml in their written form, with the places that each part came from.
import type { Immutable } from '../core/immutable.ts';
import type { DirectorDocument, ServerDocument, ServiceDocument } from '../director/schema.ts';
import type { CheckDocument } from '../health/schema.ts';
import type { SourcePlace } from './report.ts';

/** A real server as a map. */
export type ServerMap = Immutable<Exclude<ServerDocument, string>>;
export type ServiceMap = Immutable<ServiceDocument>;
/** What follows from checks of a service. */
export type ServiceHealthMap = Exclude<NonNullable<ServiceMap['health']>, string>;
/** How a server names the checks that it has to pass. */
export type ServerHealthMap = NonNullable<ServerMap['health']>;

/** A part of the document, and the line of the source that it came from. */
export interface From<Part> {
  readonly part: Part;
  readonly place: SourcePlace;
}

export interface ImportedService {
  readonly settings: Omit<ServiceMap, 'servers'>;
  readonly place: SourcePlace;
  readonly servers: readonly From<string | ServerMap>[];
}

export interface ImportedDocument {
  readonly checks: ReadonlyMap<string, From<CheckDocument>>;
  readonly services: readonly ImportedService[];
  readonly timeouts?: From<NonNullable<DirectorDocument['timeouts']>>;
}
