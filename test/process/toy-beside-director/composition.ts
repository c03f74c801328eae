// SPDX-License-Identifier: Apache-2.0
import { DocumentFormat } from '../../../src/core/config/snapshot.ts';
import type { Composition } from '../../../src/daemon/composition.ts';
import { planeTable } from '../../../src/daemon/table.ts';
import { directorSection } from '../../../src/director/section.ts';
import { toyRow } from '../toy-plane/plane.ts';
import { toySection } from '../toy-plane/section.ts';

const sections = [directorSection, toySection] as const;
const format = new DocumentFormat(sections, { $id: 'urn:sluice:toy', title: 'toy.yaml', description: 'A greeting.' });

/** The director, with a plane beside it that does what a test wants. */
export const composition: Composition<typeof sections> = {
  planes: [...planeTable, toyRow],
  format,
  read: ({ config = '' }, files) => format.load(config, files),
  checkReload: () => undefined,
  answers: () => [],
};
