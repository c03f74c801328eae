// SPDX-License-Identifier: Apache-2.0
// requests SOURCE@ADDRESS…: requests a page from each address, from that source, again and again until the program is
// stopped. Each request has a connection of its own, as those of many clients. Prints a line of JSON every second: how many
// requests were answered so far, and how many not.
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const page = '/content?bytes=20000';
const pauseMilliseconds = 40;
/** A request is given up after this time. */
const patienceMilliseconds = 1000;

const counts = { answered: 0, failed: 0 };

function ask(source: string, address: string): Promise<void> {
  return new Promise(resolve => {
    const signal = AbortSignal.timeout(patienceMilliseconds);
    let hasBegun = false;
    const asking = get({ host: address, path: page, localAddress: source, agent: false, signal }, answer => {
      hasBegun = true;
      answer.resume();
      answer.on('close', () => {
        counts[answer.complete ? 'answered' : 'failed'] += 1;
        resolve();
      });
    });
    asking.on('error', () => {
      // After the answer has begun, its own end counts.
      if (!hasBegun) counts.failed += 1;
      resolve();
    });
  });
}

async function askForever(source: string, address: string): Promise<never> {
  for (;;) {
    await ask(source, address);
    await delay(pauseMilliseconds);
  }
}

setInterval(() => process.stdout.write(`${JSON.stringify(counts)}\n`), 1000);

const pairs = process.argv.slice(2).map(word => word.split('@'));
await Promise.all(pairs.map(([source = '', address = '']) => askForever(source, address)));
