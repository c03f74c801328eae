// SPDX-License-Identifier: Apache-2.0
// requests SOURCE@ADDRESS…: asks each address for a page, from that source, again and again until it is ended: a connection each,
// as browsers of many people would open them.
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const page = '/content?bytes=20000';
const pauseMilliseconds = 40;
/** Above this, an answer is not worth waiting for. */
const patienceMilliseconds = 1000;

function ask(source: string, address: string): Promise<void> {
  return new Promise(resolve => {
    const signal = AbortSignal.timeout(patienceMilliseconds);
    const asking = get({ host: address, path: page, localAddress: source, agent: false, signal }, answer => {
      answer.resume();
      answer.on('close', resolve);
    });
    // An answer that does not come is seen in the table.
    asking.on('error', () => resolve());
  });
}

async function askForever(source: string, address: string): Promise<never> {
  for (;;) {
    await ask(source, address);
    await delay(pauseMilliseconds);
  }
}

const pairs = process.argv.slice(2).map(word => word.split('@'));
await Promise.all(pairs.map(([source = '', address = '']) => askForever(source, address)));
