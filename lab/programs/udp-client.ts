// SPDX-License-Identifier: Apache-2.0
// udp-client ADDRESS BYTES COUNT: sends COUNT datagrams of BYTES bytes to port 7, each from a new port. Prints a line of
// JSON for each: which server answered; null when there was no answer or the answer was not the datagram.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { scaled } from '../topology/time-scale.ts';
import { content } from './content.ts';
import type { Service } from './service.ts';

/** A datagram without an answer after this time counts as lost. */
const answerMilliseconds = scaled(3000);

const [address = '', bytes = '1', count = '1'] = process.argv.slice(2);
const datagram = Buffer.concat([...content(Number(bytes))]);

function readAnswer(answer: Buffer): Service | null {
  const end = answer.indexOf('\n');
  return datagram.equals(answer.subarray(end + 1)) ? JSON.parse(answer.toString('utf8', 0, end)) : null;
}

function ask(): Promise<Service | null | { error: string }> {
  return new Promise(resolve => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (outcome: Service | null | { error: string }): void => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => finish(null), answerMilliseconds);
    socket.on('message', answer => finish(readAnswer(answer)));
    // Only a connected socket gets ICMP errors.
    socket.on('error', (error: NodeJS.ErrnoException) => finish({ error: error.code ?? error.message }));
    socket.connect(7, address, () => socket.send(datagram));
  });
}

for (let sent = 0; sent < Number(count); sent++) console.log(JSON.stringify(await ask()));
