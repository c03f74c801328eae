// SPDX-License-Identifier: Apache-2.0
// Lets the garbage collector collect writers whose threads run, and keeps their pages. The threads must end.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadAddon } from '../../../src/native/addon.ts';
import { StatisticsWriter } from '../../../src/native/statistics-page.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function beatingPage() {
  const writer = new StatisticsWriter(loadAddon());
  writer.startHeartbeat(1);
  return writer.page;
}

const pages = Array.from({ length: 20 }, beatingPage);
let quiet = false;
while (!quiet) {
  collectGarbage();
  await setImmediate();
  const before = pages.map(page => page.beats);
  const until = process.hrtime.bigint() + 20_000_000n;
  while (process.hrtime.bigint() < until);
  quiet = pages.every((page, index) => page.beats === before[index]);
}
console.log('quiet');
