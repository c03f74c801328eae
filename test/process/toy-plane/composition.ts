// SPDX-License-Identifier: Apache-2.0
import { DocumentFormat } from '../../../src/core/config/snapshot.ts';
import type { Composition } from '../../../src/daemon/composition.ts';
import { toyRow } from './plane.ts';
import { toySection } from './section.ts';

const sections = [toySection] as const;
const format = new DocumentFormat(sections, { $id: 'urn:sluice:toy', title: 'toy.yaml', description: 'A greeting.' });

/** A program like `sluice run` whose only plane is the toy. */
export const toyComposition: Composition<typeof sections> = {
  planes: [toyRow],
  format,
  read: async ({ config = '' }, textOf) => format.parse(await textOf(config), config),
  checkReload: () => undefined,
  answers: [],
};
