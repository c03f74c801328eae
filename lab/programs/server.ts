// SPDX-License-Identifier: Apache-2.0
// server NAME [ADDRESS…]: a real server. On TCP, for all addresses of the host:
//
//   port 80  HTTP: /who says which server answers and which client it sees, /content?bytes=N sends N bytes of content,
//            PUT /digest answers with the SHA-256 of the body; the same on ports 443 and 8005
//   port 7   what arrives is sent back (RFC 862): for long sessions
//
// On UDP port 7 of each ADDRESS: a datagram is sent back after a line of JSON that says the same as /who. Each address has a
// socket of its own, so that an answer comes from the address of the request.
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, isIPv6 } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { content } from './content.ts';
import type { Service } from './service.ts';

const httpPorts = [80, 443, 8005];
const echoPort = 7;
/** Connections that may wait to be accepted while the machine is busy. */
const backlog = 4096;

const [name = 'server', ...addresses] = process.argv.slice(2);

function service(address = '', port = 0): Service {
  return { server: name, client: address.replace(/^::ffff:/, ''), port };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://server');
  if (pathname === '/who') {
    response.end(`${JSON.stringify(service(request.socket.remoteAddress, request.socket.remotePort))}\n`);
  } else if (pathname === '/content') {
    await pipeline(content(Number(searchParams.get('bytes'))), response);
  } else if (pathname === '/digest') {
    const hash = createHash('sha256');
    for await (const piece of request) hash.update(piece);
    response.end(hash.digest('hex'));
  } else {
    response.writeHead(404).end();
  }
}

const listening: Promise<unknown>[] = [];

for (const port of httpPorts) {
  const web = createServer((request, response) => {
    // A client that closes in the middle of an answer does not stop the server.
    answer(request, response).catch(error => console.log(`${request.url}: ${error.message}`));
  });
  // In an emulated machine an upload takes many minutes. The client has the limit.
  web.requestTimeout = 0;
  listening.push(new Promise<void>(resolve => web.listen({ port, backlog }, resolve)));
}

const echo = createTcpServer(socket => {
  socket.on('error', error => console.log(`echo: ${error.message}`));
  socket.pipe(socket);
});
listening.push(new Promise<void>(resolve => echo.listen({ port: echoPort, backlog }, resolve)));

for (const address of addresses) {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', (bytes, peer) => {
    const reply = [`${JSON.stringify(service(peer.address, peer.port))}\n`, bytes];
    socket.send(reply, peer.port, peer.address);
  });
  listening.push(new Promise<void>(resolve => socket.bind(echoPort, address, resolve)));
}

await Promise.all(listening);
console.log('ready');
