// SPDX-License-Identifier: Apache-2.0
// Sluice, put together.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkSettings } from '../control/settings.ts';
import { openApiRoute } from '../core/api/openapi.ts';
import { answering } from '../core/api/route.ts';
import { apiDescription } from './api.ts';
import type { Composition } from './composition.ts';
import { documentFormat, type sections } from './document.ts';
import { ipvsadmAnswer } from './ipvsadm.ts';
import { readSnapshot } from './source.ts';
import { planeTable } from './table.ts';

/** process.ts, beside this file in src/ as in dist/. */
export const program = fileURLToPath(new URL(`./process${extname(fileURLToPath(import.meta.url))}`, import.meta.url));

export const composition: Composition<typeof sections> = {
  planes: planeTable,
  format: documentFormat,
  read: readSnapshot,
  checkReload: (before, after) => checkSettings(before.process, after.process),
  answers: access => [answering(openApiRoute, () => apiDescription), ipvsadmAnswer(access)],
};
