// SPDX-License-Identifier: Apache-2.0
// A client that opens connections to each HOST:PORT of its arguments at its start and keeps them. At SIGUSR2 it sends a
// request on each connection and prints how many were answered.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const milliseconds = 3000;
const [count = '0', ...places] = process.argv.slice(2);

async function open(place: string): Promise<Socket> {
  const end = place.lastIndexOf(':');
  const socket = connect(Number(place.slice(end + 1)), place.slice(0, end));
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
}

/** Whether the other end answers. A lost connection is silent or reset. */
function answers(socket: Socket): Promise<boolean> {
  return new Promise(resolve => {
    const done = (outcome: boolean): void => {
      clearTimeout(timer);
      socket.off('data', told).off('close', gone);
      resolve(outcome);
    };
    const told = (): void => done(true);
    const gone = (): void => done(false);
    const timer = setTimeout(gone, milliseconds);
    socket.on('data', told).on('close', gone);
    socket.write('hello');
  });
}

const sockets = new Map<string, Socket[]>();
for (const place of places) {
  sockets.set(place, await Promise.all(Array.from({ length: Number(count) }, () => open(place))));
}

let round = 0;
process.on('SIGUSR2', async () => {
  const mine = ++round;
  for (const [place, all] of sockets) {
    const answered = (await Promise.all(all.map(answers))).filter(Boolean).length;
    console.log(`round ${mine}: ${place} answered ${answered} of ${all.length}`);
  }
  console.log(`round ${mine} is over`);
});
console.log('opened');
