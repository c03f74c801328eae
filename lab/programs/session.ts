// SPDX-License-Identifier: Apache-2.0
// session ADDRESS: one TCP connection to port 7. Prints "open PORT" with its own port. Sends every line from standard input
// and prints every line that comes back after "heard ". Prints "closed" when the connection ends.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [address = ''] = process.argv.slice(2);
const socket = connect({ host: address, port: 7, noDelay: true });
socket.on('connect', () => console.log(`open ${socket.localPort}`));
socket.on('close', () => console.log('closed'));
socket.on('error', error => console.log(`error ${error.message}`));
createInterface({ input: process.stdin }).on('line', line => socket.write(`${line}\n`));
createInterface({ input: socket }).on('line', line => console.log(`heard ${line}`));
