// SPDX-License-Identifier: Apache-2.0
// stream ADDRESS MICROSECONDS: sends numbered datagrams from one port to port 7 of ADDRESS, one every MICROSECONDS, until
// standard input ends. Prints "flows" when the first has come back. At the end it prints as JSON how many were sent, which
// did not come back, and which came back more than once.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { scaled } from '../topology/time-scale.ts';

/** Time for the last answers to arrive, also on a busy machine. */
const lastAnswersMilliseconds = scaled(1000);

const [address = '', microseconds = '1000'] = process.argv.slice(2);
const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
const heard = new Map<number, number>();
let sent = 0;
let ends = false;

socket.on('message', answer => {
  if (heard.size === 0) console.log('flows');
  const number = Number(answer.toString('utf8', answer.indexOf('\n') + 1));
  heard.set(number, (heard.get(number) ?? 0) + 1);
});
socket.on('error', error => console.log(`error ${error.message}`));
process.stdin.on('end', () => {
  ends = true;
});
process.stdin.resume();

const began = performance.now();

/** A timer fires late, and at most once in a millisecond. So each call sends all datagrams that are due. */
function sendWhatIsDue(): void {
  const due = Math.floor(((performance.now() - began) * 1000) / Number(microseconds));
  while (sent < due) socket.send(String(sent++));
  if (!ends) setTimeout(sendWhatIsDue, 1);
  else setTimeout(finish, lastAnswersMilliseconds);
}

function finish(): void {
  const numbers = Array.from({ length: sent }, (_, number) => number);
  const lost = numbers.filter(number => !heard.has(number));
  const duplicated = numbers.filter(number => (heard.get(number) ?? 0) > 1);
  console.log(JSON.stringify({ sent, lost, duplicated }));
  socket.close();
}

socket.connect(7, address, sendWhatIsDue);
