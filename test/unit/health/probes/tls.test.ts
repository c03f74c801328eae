// SPDX-License-Identifier: Apache-2.0
// Connections that do not get far; test/process/health-probes.test.ts has those that do.
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import type { Probe } from '../../../../src/health/model.ts';
import { createProbes } from '../../../../src/health/probes/start.ts';
import { nameOfHost } from '../../../../src/health/probes/tls-client.ts';
import { checkOf, httpProbe, resultOf, smtpProbe, target, tlsOf } from '../checks.ts';
import { NodeProber } from '../node-prober.ts';

const probes = createProbes(
  onEvents => new NodeProber(onEvents),
  systemClock,
  () => undefined,
);
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterAll(() => {
  probes.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

const listening = (answer: (socket: Socket) => void): Promise<number> =>
  new Promise(resolve => {
    const server = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      answer(socket);
    });
    servers.push(server);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });

const tls = tlsOf({ verify: false });
const overTls: Probe[] = [httpProbe({ tls }), { type: 'grpc', service: '', tls }];
const all: Probe[] = [...overTls, smtpProbe({ tls, startTls: true }), { type: 'grpc', service: '', tls: null }];
const detail = async (probe: Probe, port: number, timeout = 30) =>
  (await resultOf(probes.start, probe, target(port), { timeout })).detail;

describe.each(all)('%j', probe => {
  it('says that nothing listens', async () => {
    expect(await detail(probe, 1)).toBe('no connection: connection refused');
  });

  it('says how far it came in time', async () => {
    const port = await listening(() => {});
    expect(await detail(probe, port, 0.5)).toMatch(/^connected, but no (TLS handshake|greeting|answer) within 0.5 s$/);
  });

  it('says that the connection was closed', async () => {
    const port = await listening(socket => socket.end());
    expect(await detail(probe, port)).toMatch(/^the (connection was closed|connection broke)/);
  });

  it('ends its connection when it is cancelled', async () => {
    let connections = 0;
    let closed = 0;
    const port = await listening(socket => {
      connections += 1;
      socket.resume().on('close', () => {
        closed += 1;
      });
    });
    let results = 0;
    const probing = probes.start(checkOf(probe), target(port), () => results++);
    await vi.waitFor(() => expect(connections).toBe(1), { timeout: 30_000 });
    expect(closed).toBe(0);
    probing.cancel();
    await vi.waitFor(() => expect(closed).toBe(1), { timeout: 30_000 });
    expect(results).toBe(0);
  });
});

it.each(overTls)('%j says that no TLS is spoken', async probe => {
  const port = await listening(socket => socket.write('220 plain text\r\n'.repeat(100)));
  expect(await detail(probe, port)).toBe('the target does not speak TLS');
});

it.each([
  ['shop.example', 'shop.example'],
  ['shop.example:443', 'shop.example'],
  ['192.0.2.1:443', '192.0.2.1'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
])('the name of host %s is %s', (host, name) => {
  expect(nameOfHost(host)).toBe(name);
});
