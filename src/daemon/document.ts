// SPDX-License-Identifier: Apache-2.0
// `sluice.yaml`: the sections of all capabilities in one document.

import { apiSection } from '../control/listeners/settings.ts';
import { processSection } from '../control/settings.ts';
import { eventsSection } from '../control/webhooks/settings.ts';
import { DocumentFormat, type SectionChange, type Snapshot as SnapshotOf } from '../core/config/snapshot.ts';
import { directorSection } from '../director/section.ts';
import { healthSection } from '../health/section.ts';

export const sections = [directorSection, healthSection, processSection, apiSection, eventsSection] as const;

/** Reads, compares and writes snapshots of everything that can be configured. */
export const documentFormat = new DocumentFormat(sections, {
  $id: 'urn:sluice:configuration',
  title: 'sluice.yaml',
  description: 'Everything that Sluice does, in one document.',
  elsewhere: { layer4: 'the section layer4 is called director now' },
});

/** Everything that is configured: immutable, and named by the hash of its content. */
export type Snapshot = SnapshotOf<typeof sections>;

export type Change = SectionChange<typeof sections>;
