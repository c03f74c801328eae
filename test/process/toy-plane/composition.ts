// SPDX-License-Identifier: Apache-2.0
import { DocumentFormat } from '../../../src/core/config/snapshot.ts';
import type { Composition } from '../../../src/daemon/composition.ts';
import { otherRow, toyRow } from './plane.ts';
import { otherSection, toySection } from './section.ts';

const sections = [toySection, otherSection] as const;
const format = new DocumentFormat(sections, { $id: 'urn:sluice:toy', title: 'toy.yaml', description: 'Greetings.' });

/** A program like `sluice run` with the toys as its only planes. */
export const toyComposition: Composition<typeof sections> = {
  planes: [toyRow, otherRow],
  format,
  read: ({ config = '' }, files) => format.load(config, files),
  checkReload: () => undefined,
  answers: () => [],
};
