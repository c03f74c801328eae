// SPDX-License-Identifier: Apache-2.0
// Ends as its argument says, while a native thread writes to a statistics page.
import { loadAddon } from '../../../src/native/addon.ts';
import { StatisticsWriter } from '../../../src/native/statistics-page.ts';

const writer = new StatisticsWriter(loadAddon());
writer.claim('program').add('batches', 1n);
writer.startHeartbeat(1);
while (writer.page.beats < 3n);
console.log('beating');

switch (process.argv[2]) {
  case 'return':
    break;
  case 'exit':
    process.exit(7);
    break;
  case 'throw':
    throw new Error('nobody catches this');
  case 'kill':
    process.kill(process.pid, 'SIGTERM');
    setInterval(() => {}, 1_000);
    break;
  case 'stop':
    writer.stopHeartbeat();
    break;
}
