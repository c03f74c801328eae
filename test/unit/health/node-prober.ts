// SPDX-License-Identifier: Apache-2.0
// A prober made of Node's own sockets, with the contract of the native one, for tests of what is above it.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { constants } from 'node:os';
import type { ExchangeEvent, ExchangeRequest, NativeProber } from '../../../src/native/prober.ts';

interface Running {
  readonly isConnected: () => boolean;
  send(bytes: Uint8Array): void;
  close(): void;
}

type Tell = (event: ExchangeEvent extends infer E ? (E extends { id: number } ? Omit<E, 'id'> : never) : never) => void;

function errnoOf(error: NodeJS.ErrnoException): number {
  const known: Partial<Record<string, number>> = constants.errno;
  return known[error.code ?? ''] ?? constants.errno.EIO;
}

function stream(request: ExchangeRequest, tell: Tell): Running {
  const socket = connect({ host: request.address, port: request.port, allowHalfOpen: true });
  socket.on('connect', () => {
    if (request.connectOnly) tell({ kind: 'connected' });
    else if (request.send !== undefined) socket.write(request.send);
  });
  socket.on('data', data => tell({ kind: 'data', data }));
  socket.on('end', () => tell({ kind: 'closed' }));
  socket.on('error', error => tell({ kind: 'failed', errno: errnoOf(error) }));
  return { isConnected: () => !socket.connecting, send: bytes => socket.write(bytes), close: () => socket.destroy() };
}

function datagrams(request: ExchangeRequest, tell: Tell): Running {
  const socket = createSocket(isIPv6(request.address) ? 'udp6' : 'udp4');
  socket.on('message', data => tell({ kind: 'data', data }));
  socket.on('error', error => tell({ kind: 'failed', errno: errnoOf(error) }));
  socket.connect(request.port, request.address, () => socket.send(request.send ?? new Uint8Array()));
  return { isConnected: () => false, send: bytes => socket.send(bytes), close: () => socket.close() };
}

/** How many exchanges each call of `start` began is kept in `batches`; those that have not ended are in `running`. */
export class NodeProber implements NativeProber {
  readonly batches: number[] = [];
  readonly running = new Map<number, Running>();
  readonly #onEvents: (events: readonly ExchangeEvent[]) => void;
  #next = 1;

  constructor(onEvents: (events: readonly ExchangeEvent[]) => void) {
    this.#onEvents = onEvents;
  }

  start(requests: readonly ExchangeRequest[]): number[] {
    this.batches.push(requests.length);
    return requests.map(request => this.#begin(request));
  }

  #begin(request: ExchangeRequest): number {
    const id = this.#next++;
    const tell: Tell = event => {
      if (!this.running.has(id)) return;
      if (event.kind !== 'data' && event.kind !== 'closed') this.end(id);
      this.#onEvents([{ ...event, id }]);
    };
    const exchange = request.protocol === 'tcp' ? stream(request, tell) : datagrams(request, tell);
    const timer = setTimeout(
      () => tell({ kind: 'timeout', connected: exchange.isConnected() }),
      request.timeoutMilliseconds,
    );
    this.running.set(id, {
      ...exchange,
      send: bytes => exchange.send(bytes),
      close: () => {
        clearTimeout(timer);
        exchange.close();
      },
    });
    return id;
  }

  send(id: number, bytes: Uint8Array): void {
    this.running.get(id)?.send(bytes);
  }

  end(id: number): void {
    this.running.get(id)?.close();
    this.running.delete(id);
  }

  close(): void {
    for (const id of this.running.keys()) this.end(id);
  }
}
