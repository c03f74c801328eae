// SPDX-License-Identifier: Apache-2.0
// An open TCP port. Its connections go to the server of the moment: a change puts another server, with other tokens and
// another certificate, in the place of the one before, and the port stays open. Whoever can reach the port can open
// connections, so that their number is limited, and how many come in a second: the admin socket has its turn between them.
import { createServer, type Server, type Socket } from 'node:net';
import type { ApiServer } from '../../core/api/server.ts';
import type { Clock } from '../../core/clock.ts';
import { parseEndpoint } from '../../core/endpoint.ts';
import { SystemError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';

/** Open at the same time. A Prometheus has one; people have a few. */
export const mostConnections = 32;

/** Each may cost a TLS handshake, which is a millisecond of the event loop. */
export const mostNewPerSecond = 50;

/** A client that is gone without a word holds a stream for so long and some probes more. */
const keepAliveMilliseconds = 60_000;

const nanosecondsPerSecond = 1_000_000_000n;

export interface ListenerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Listener {
  readonly #address: string;
  readonly #options: ListenerOptions;
  readonly #port: Server;
  #server: ApiServer | undefined;
  #fingerprint: string | undefined;
  #second = 0n;
  #newInSecond = 0;

  private constructor(address: string, options: ListenerOptions) {
    this.#address = address;
    this.#options = options;
    this.#port = createServer(
      {
        // As a server of HTTP: a client that closes its sending side waits for the answer.
        ...{ allowHalfOpen: true, noDelay: true },
        ...{ keepAlive: true, keepAliveInitialDelay: keepAliveMilliseconds },
      },
      socket => this.#take(socket),
    );
    this.#port.maxConnections = mostConnections;
    this.#port.on('drop', () => this.#refused('as many connections are open as there may be'));
  }

  /** Opens the port. Connections are closed until there is a server. Throws a SystemError when the port cannot be had. */
  static async open(address: string, options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(address, options);
    await listener.#listen();
    return listener;
  }

  /** What the server was made of; undefined before the first. */
  get fingerprint(): string | undefined {
    return this.#fingerprint;
  }

  /** The server answers from now on; answers in progress of the one before end in their time. */
  async serve(server: ApiServer, fingerprint: string): Promise<void> {
    await server.start();
    void this.#server?.stop();
    this.#server = server;
    this.#fingerprint = fingerprint;
  }

  /** No connection is taken any more; answers in progress end in their time. */
  async close(): Promise<void> {
    this.#port.close();
    await this.#server?.stop();
  }

  async #listen(): Promise<void> {
    const endpoint = parseEndpoint(this.#address);
    if ('fault' in endpoint) throw new TypeError(`${this.#address} ${endpoint.fault}`);
    await new Promise<void>((resolve, reject) => {
      this.#port.once('error', error => reject(cannotListen(error, this.#address)));
      this.#port.listen({ host: endpoint.address.text, port: endpoint.port }, resolve);
    });
    // An error of a port that is open (no descriptors left, say) ends nothing.
    this.#port.on('error', err =>
      this.#options.logger.warn({ err, address: this.#address }, 'a port of the API fails'),
    );
  }

  #take(socket: Socket): void {
    const second = this.#options.clock.monotonic() / nanosecondsPerSecond;
    if (second !== this.#second) [this.#second, this.#newInSecond] = [second, 0];
    this.#newInSecond += 1;
    const isTooMany = this.#newInSecond > mostNewPerSecond;
    if (isTooMany) this.#refused('more connections came in a second than may come');
    if (this.#server === undefined || isTooMany) socket.on('error', () => undefined).destroy();
    else this.#server.accept(socket);
  }

  #refused(why: string): void {
    this.#options.logger.warn({ address: this.#address }, `a connection to the API was closed: ${why}`);
  }
}

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: 'choose a port that is free; ss -ltnp shows who has this one',
  EADDRNOTAVAIL: 'write an address that the host has',
};

function cannotListen(error: NodeJS.ErrnoException, address: string): unknown {
  const remedy = remedies[error.code ?? ''] ?? 'choose another address or port';
  try {
    return SystemError.from(error, 'cannot listen for the API', { value: address, remedy });
  } catch (unexpected) {
    return unexpected;
  }
}
