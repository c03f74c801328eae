// SPDX-License-Identifier: Apache-2.0
// inject ADDRESS: reads IP packets from standard input, each a line of hexadecimal digits, and sends them unchanged. The
// host routes them to ADDRESS. Prints how many were sent.

import { isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';
import { type RawSocketModule, rawSocketOptions } from './raw-socket.ts';

const [address = ''] = process.argv.slice(2);
const { default: raw }: { default: RawSocketModule } = await import('raw-socket' as string);
const { family, level, headerIncluded } = isIPv6(address) ? rawSocketOptions.ipv6 : rawSocketOptions.ipv4;
const socket = raw.createSocket({ addressFamily: family, protocol: rawSocketOptions.anyProtocol });
socket.setOption(level, headerIncluded, 1);

function send(packet: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, 0, packet.length, address, error => (error ? reject(error) : resolve()));
  });
}

let sent = 0;
for await (const line of createInterface({ input: process.stdin })) {
  await send(Buffer.from(line, 'hex'));
  sent += 1;
}
socket.close();
console.log(sent);
