// SPDX-License-Identifier: Apache-2.0
// The director's section of the document.
import { canonicalJson, digestOf, sha256 } from '../core/config/canonical.ts';
import { mapByDifference } from '../core/config/map-by-difference.ts';
import { oncePerValue } from '../core/config/once.ts';
import type { Section } from '../core/config/section.ts';
import { compareDirectorModels, type DirectorChange, describeDirectorChange } from './changes.ts';
import { checkedServices } from './checked.ts';
import { effectiveDirectorModel } from './effective.ts';
import { type DirectorModel, emptyDirectorModel, type Service } from './model.ts';
import { readDirectorModel } from './read.ts';
import { checkHealthReferences } from './read-health.ts';
import { directorSchema } from './schema.ts';
import { subjectsNamed } from './subjects.ts';
import { saidOf, weightFindings } from './weight-findings.ts';
import { writeDirectorModel } from './write.ts';

const digestsOf = mapByDifference<Service, string>(digestOf);
const serverCounts = mapByDifference(({ servers }: Service) => servers.length);

export const directorSection: Section<'director', DirectorModel, DirectorChange> = {
  key: 'director',
  schema: directorSchema,
  empty: emptyDirectorModel,
  read: readDirectorModel,
  write: writeDirectorModel,
  digest: oncePerValue(model => sha256(canonicalJson({ ...model, services: digestsOf(model.services) }))),
  size: ({ services }) => services.length + serverCounts(services).reduce((sum, count) => sum + count, 0),
  compare: compareDirectorModels,
  describe: describeDirectorChange,
  check: checkHealthReferences,
  checked: ({ services }) => checkedServices(services),
  effective: effectiveDirectorModel,
  subjects: subjectsNamed,
  explain: weightFindings,
  said: saidOf,
};
