// SPDX-License-Identifier: Apache-2.0
// connections ADDRESS COUNT: opens COUNT TCP connections to port 7 at once. When all are open, it sends a different text on
// each and closes its sending side. It prints as JSON how many were open and how many got back what they sent.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const [address = '', count = '1'] = process.argv.slice(2);

async function open(): Promise<Socket | undefined> {
  const socket = connect({ host: address, port: 7 });
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return undefined;
  }
}

async function isEchoed(socket: Socket, words: string): Promise<boolean> {
  let heard = '';
  socket.setEncoding('utf8').end(words);
  try {
    for await (const text of socket) heard += text;
  } catch {
    return false;
  }
  return heard === words;
}

const sockets = await Promise.all(Array.from({ length: Number(count) }, open));
const opened = sockets.filter(socket => socket !== undefined);
const echoed = await Promise.all(opened.map((socket, index) => isEchoed(socket, `connection ${index}`)));
console.log(JSON.stringify({ opened: opened.length, echoed: echoed.filter(Boolean).length }));
