// SPDX-License-Identifier: Apache-2.0
// Loads the addon in the main thread and in several workers, each with a page and a native thread of its own, lets
// every worker end in the way that the argument says, and checks that the main thread goes on. With `read`, workers
// read the main thread's page.
import { once } from 'node:events';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { loadAddon } from '../../../src/native/addon.ts';
import { StatisticsPage, StatisticsWriter } from '../../../src/native/statistics-page.ts';
import { typescriptWorker } from '../typescript-worker.ts';

const workerCount = 3;
const ending = process.argv[2];

async function runMain(): Promise<void> {
  const writer = new StatisticsWriter(loadAddon());
  writer.claim('main').add('frames_received', 42n);
  writer.startHeartbeat(1);
  const { words } = writer.page;
  const workers = Array.from({ length: workerCount }, () => {
    const worker = typescriptWorker(import.meta.url, { argv: [ending], workerData: words });
    const messages: Promise<unknown[]> = once(worker, 'message');
    const exits: Promise<unknown[]> = once(worker, 'exit');
    return { worker, messages, exits };
  });
  const said = (await Promise.all(workers.map(({ messages }) => messages))).flat();
  if (ending === 'terminate') await Promise.all(workers.map(({ worker }) => worker.terminate()));
  const statuses = (await Promise.all(workers.map(({ exits }) => exits))).flat();
  const before = writer.page.beats;
  while (writer.page.beats < before + 3n);
  console.log(JSON.stringify({ said, statuses }));
}

function runWorker(): void {
  const addon = loadAddon();
  if (ending === 'read') {
    const page = new StatisticsPage(workerData, addon.statisticsLayout);
    const before = page.beats;
    while (page.beats < before + 3n);
    parentPort?.postMessage(`${page.blocks()[0]?.name} ${page.total('frames_received')}`);
    return;
  }
  const writer = new StatisticsWriter(addon);
  writer.claim('worker');
  writer.startHeartbeat(1);
  while (writer.page.beats < 3n);
  parentPort?.postMessage('beating');
  if (ending === 'exit') setImmediate(() => process.exit(5));
  if (ending === 'terminate') setInterval(() => {}, 1_000);
}

if (isMainThread) await runMain();
else runWorker();
