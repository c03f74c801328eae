// SPDX-License-Identifier: Apache-2.0
// server NAME [ADDRESS…]: a real server. On TCP, for all addresses of the host:
//
//   port 80  HTTP: /who says which server answers and which client it sees, /content?bytes=N sends N bytes of content,
//            PUT /digest answers with the SHA-256 of the body; the same on ports 443 and 8005
//   port 8006  HTTP: /fault?kind=KIND makes port 80 fail until /fault?kind=none. error: it answers 500; slow: it answers
//            after five seconds; refuse: it takes no connections
//   port 7   what arrives is sent back (RFC 862): for long sessions
//
// On UDP port 7 of each ADDRESS: a datagram is sent back after a line of JSON that says the same as /who. Each address has a
// socket of its own, so that an answer comes from the address of the request.
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, isIPv6 } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { content } from './content.ts';
import type { Service } from './service.ts';

const httpPorts = [80, 443, 8005];
const echoPort = 7;
const faultPort = 8006;
const slowMilliseconds = 5000;
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

let fault = 'none';

async function answerOrFail(port: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const isFailing = port === httpPorts[0];
  if (isFailing && fault === 'slow') await delay(slowMilliseconds);
  if (isFailing && fault === 'error') response.writeHead(500).end();
  else await answer(request, response);
}

const listening: Promise<unknown>[] = [];
const webs: Server[] = [];

for (const port of httpPorts) {
  const web = createServer((request, response) => {
    // A client that closes in the middle of an answer does not stop the server.
    answerOrFail(port, request, response).catch(error => console.log(`${request.url}: ${error.message}`));
  });
  webs.push(web);
  // In an emulated machine an upload takes many minutes. The client has the limit.
  web.requestTimeout = 0;
  listening.push(new Promise<void>(resolve => web.listen({ port, backlog }, resolve)));
}

const faults = createServer((request, response) => {
  fault = new URL(request.url ?? '/', 'http://server').searchParams.get('kind') ?? 'none';
  const [web] = webs;
  if (fault === 'refuse') {
    web?.close();
    web?.closeAllConnections();
  } else if (!web?.listening) {
    web?.listen({ port: httpPorts[0], backlog });
  }
  response.end();
});
listening.push(new Promise<void>(resolve => faults.listen({ port: faultPort, backlog }, resolve)));

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
