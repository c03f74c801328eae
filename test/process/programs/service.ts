// SPDX-License-Identifier: Apache-2.0
// A service as a command would run one: starts, waits for a signal, stops. With `hang`, its stop never ends.
import { Lifecycle } from '../../../src/core/lifecycle.ts';
import { createLogger } from '../../../src/core/logger.ts';
import { stopOnSignals } from '../../../src/core/signals.ts';

const logger = createLogger();
const hangs = process.argv[2] === 'hang';
let alive: NodeJS.Timeout;
const lifecycle = new Lifecycle([
  {
    name: 'listener',
    start() {
      alive = setInterval(() => {}, 60_000);
    },
    async stop() {
      if (hangs) await new Promise(() => {});
      clearInterval(alive);
    },
  },
]);
const unlisten = stopOnSignals({
  logger: logger.child({ area: 'daemon' }),
  async stop() {
    console.log('stopping');
    await lifecycle.stop();
    unlisten();
    console.log('stopped');
  },
});
await lifecycle.start();
console.log('ready');
