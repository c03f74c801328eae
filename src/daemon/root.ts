// SPDX-License-Identifier: Apache-2.0
// Sluice, put together.
import { join } from 'node:path';
import { ApiListeners } from '../control/listeners/api-listeners.ts';
import { checkSettings } from '../control/settings.ts';
import { Webhooks } from '../control/webhooks/webhooks.ts';
import { openApiRoute } from '../core/api/openapi.ts';
import { answering } from '../core/api/route.ts';
import { packageRoot, runsFromSource } from '../core/package-root.ts';
import { apiDescription } from './api.ts';
import type { Composition } from './composition.ts';
import { documentFormat, type sections } from './document.ts';
import { DrainWatch } from './drain-watch.ts';
import { ipvsadmAnswer } from './ipvsadm.ts';
import { maintenanceAnswer } from './maintenance.ts';
import { readSnapshot } from './source.ts';
import { planeTable } from './table.ts';

/** The program of a process of `sluice run`. */
export const program = join(packageRoot, runsFromSource ? 'src/daemon/process.ts' : 'dist/daemon/process.js');

export const composition: Composition<typeof sections> = {
  planes: planeTable,
  format: documentFormat,
  read: readSnapshot,
  checkReload: (before, after) => checkSettings(before.process, after.process),
  watches: access => [new DrainWatch(access)],
  own: environment => [new ApiListeners(environment), new Webhooks(environment)],
  answers: access => [answering(openApiRoute, () => apiDescription), ipvsadmAnswer(access), maintenanceAnswer(access)],
};
