// SPDX-License-Identifier: Apache-2.0
// One connection of a client. HTTP allows several requests on it at once (pipelining), answered in their order. What
// cannot be read as a request is refused when the answers before it are complete, and ends the connection: nobody knows
// where the next request would begin.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { UsageError } from '../errors.ts';
import { Refusal } from './refusal.ts';
import { messageVersion, versionHeader } from './route.ts';

/** One piece of what is read may hold more; then no other is read. */
const mostWaiting = 16;

export class Connection {
  readonly #socket: Socket;
  readonly #ending = new AbortController();
  #answersInProgress = 0;
  /** The last request's; it does not reject. */
  #turn: Promise<void> | undefined;
  #waiting = 0;
  #refusal: Refusal | undefined;
  /** Ends the reading of the body that is being read. */
  #stopReading: ((refusal: Refusal) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    const end = (): void => this.end();
    socket.once('end', end).once('close', end);
    // An error is followed by 'close'.
    socket.on('error', () => {});
  }

  /** Aborted when the client sends nothing more, or the server stops. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get isIdle(): boolean {
    return this.#answersInProgress === 0;
  }

  end(): void {
    this.#ending.abort();
  }

  /**
   * Answers requests one after another: a client may send thousands of them at once. Work that need not wait begins at
   * once, so that it meets what the parser says about the rest of its request.
   */
  async inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn === undefined ? work() : this.#wait(this.#turn, work);
    this.#turn = turn;
    await turn;
    if (this.#turn === turn) this.#turn = undefined;
  }

  /** Nothing more is read while many requests wait, and nothing is done for a client that is gone. */
  async #wait(before: Promise<void>, work: () => Promise<void>): Promise<void> {
    this.#waiting += 1;
    if (this.#waiting === mostWaiting) this.#socket.pause();
    await before;
    // Others have their turn, and the end of this connection is noticed.
    await immediate();
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#socket.resume();
    if (!this.#socket.destroyed) await work();
  }

  /** Counts an answer as in progress until it is complete or the connection is closed. */
  begin(response: ServerResponse): void {
    this.#answersInProgress += 1;
    response.once('close', () => {
      this.#answersInProgress -= 1;
      if (!this.isIdle) return;
      if (this.#refusal !== undefined) this.#close(this.#refusal);
      // No request follows: the client has said so, or the server stops.
      else if (this.signal.aborted) this.#socket.destroySoon();
    });
  }

  /** The request's body as text. Rejects with a Refusal if it is too long, cannot be read or does not come in time. */
  async readBody(request: IncomingMessage, mostBytes: number): Promise<string> {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > mostBytes) throw tooLong(mostBytes);
    return await new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let size = 0;
      const finish = (): void => {
        // With pipelining the body of the next request may be read already.
        if (this.#stopReading === fail) this.#stopReading = undefined;
        request.off('data', take).off('end', complete).off('close', broken);
      };
      const fail = (refusal: Refusal): void => {
        finish();
        reject(refusal);
      };
      const take = (part: Buffer): void => {
        size += part.length;
        if (size > mostBytes) fail(tooLong(mostBytes));
        else parts.push(part);
      };
      const complete = (): void => {
        finish();
        resolve(Buffer.concat(parts).toString());
      };
      const broken = (): void => fail(brokenOff());
      this.#stopReading = fail;
      request.on('data', take).once('end', complete).once('close', broken);
    });
  }

  /** Refuses what the connection carries and cannot be read as a request. */
  refuse(refusal: Refusal): void {
    if (!this.#socket.writable) {
      this.#socket.destroy();
    } else if (this.#stopReading !== undefined) {
      // The request is known already: its own answer says what is wrong with its body.
      this.#stopReading(refusal);
    } else if (this.isIdle) {
      this.#close(refusal);
    } else {
      this.#refusal ??= refusal;
    }
  }

  #close({ status, body, headers }: Refusal): void {
    if (!this.#socket.writable) return;
    const text = `${JSON.stringify(body)}\n`;
    const fields = {
      connection: 'close',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      [versionHeader]: messageVersion,
      ...headers,
    };
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.end(
      `HTTP/1.1 ${status} ${status === 408 ? 'Request Timeout' : 'Refused'}\r\n${head.join('')}\r\n${text}`,
    );
    // What still comes is of no use, and nobody waits for the client to close its side.
    this.#socket.once('finish', () => this.#socket.destroy());
  }
}

function tooLong(mostBytes: number): Refusal {
  return new Refusal(
    413,
    new UsageError('the body of the request is too long', { remedy: `send at most ${mostBytes} bytes` }),
  );
}

function brokenOff(): Refusal {
  return new Refusal(400, new UsageError('the request broke off', { remedy: 'send all of its body' }));
}

/** What the parser of HTTP complains of. */
export function refusalOf(error: NodeJS.ErrnoException): Refusal {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Refusal(
        408,
        new UsageError('the request did not come in time', { remedy: 'send head and body without a pause' }),
      );
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal(
        431,
        new UsageError('the head of the request is too long', {
          remedy: 'put long parameters into the body of a POST',
        }),
      );
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Refusal(413, new UsageError('the body has too much between its chunks'));
    default:
      return new Refusal(
        400,
        new UsageError(`this is no request of HTTP/1.1: ${error.message}`, {
          remedy: 'use curl --unix-socket, or the commands of sluice',
        }),
      );
  }
}
