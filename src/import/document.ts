// SPDX-License-Identifier: Apache-2.0
// What an import writes: the sections of a sluice.yaml in their written form, with the places that each part came from.
import type { DirectorDocument, ServerDocument, ServiceDocument } from '../director/schema.ts';
import type { CheckDocument } from '../health/schema.ts';
import type { SourcePlace } from './report.ts';

/** How a service, or one of its servers, names the checks that servers have to pass. */
export interface CheckedDocument {
  readonly checks: readonly (string | { readonly check: string; readonly weight: number })[];
  readonly need?: 'all' | 'any' | number;
}

/** What follows from checks of a service. */
export interface ServiceHealthDocument extends CheckedDocument {
  readonly on_failure?: 'inhibit' | 'remove';
  readonly quorum?: number;
  readonly hysteresis?: number;
  readonly sorry?: ServerDocument;
  readonly sorry_when?: 'none_up' | 'quorum_lost';
  readonly none_up?: 'all' | 'none';
  readonly panic?: number;
  readonly slow_start?: number;
  readonly start?: 'up' | 'down';
}

type ServerMap = Exclude<ServerDocument, string>;

export interface CheckedServerDocument extends ServerMap {
  readonly health?: CheckedDocument;
}

export interface CheckedServiceDocument extends Omit<ServiceDocument, 'servers'> {
  readonly health?: ServiceHealthDocument;
  readonly servers?: readonly (string | CheckedServerDocument)[];
}

/** A part of the document, and the line of the source that it came from. */
export interface From<Part> {
  readonly part: Part;
  readonly place: SourcePlace;
}

export interface ImportedService {
  readonly settings: Omit<CheckedServiceDocument, 'servers'>;
  readonly place: SourcePlace;
  readonly servers: readonly From<string | CheckedServerDocument>[];
}

export interface ImportedDocument {
  readonly checks: ReadonlyMap<string, From<CheckDocument>>;
  readonly services: readonly ImportedService[];
  readonly timeouts?: From<NonNullable<DirectorDocument['timeouts']>>;
}
