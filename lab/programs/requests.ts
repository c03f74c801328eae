// SPDX-License-Identifier: Apache-2.0
// requests SOURCE@ADDRESS…: requests a page from each address, from that source, again and again until the program is
// stopped. Each request has a connection of its own, as those of many clients.
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const page = '/content?bytes=20000';
const pauseMilliseconds = 40;
/** A request is given up after this time. */
const patienceMilliseconds = 1000;

function ask(source: string, address: string): Promise<void> {
  return new Promise(resolve => {
    const signal = AbortSignal.timeout(patienceMilliseconds);
    const asking = get({ host: address, path: page, localAddress: source, agent: false, signal }, answer => {
      answer.resume();
      answer.on('close', resolve);
    });
    // A missing answer needs no message: it shows in the demo's table.
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
