// SPDX-License-Identifier: Apache-2.0
// The layer-4 director's section of the document.
import { canonicalJson, digestOf, sha256 } from '../core/config/canonical.ts';
import type { Section } from '../core/config/snapshot.ts';
import { compareLayer4, describeLayer4Change, type Layer4Change } from './changes.ts';
import type { Layer4 } from './model.ts';
import { readLayer4 } from './read.ts';
import { layer4Schema } from './schema.ts';
import { writeLayer4 } from './write.ts';

export const layer4Section: Section<Layer4, Layer4Change> = {
  schema: layer4Schema,
  read: readLayer4,
  write: writeLayer4,
  digest: model => sha256(canonicalJson({ ...model, services: model.services.map(digestOf) })),
  compare: compareLayer4,
  describe: describeLayer4Change,
};
