// SPDX-License-Identifier: Apache-2.0
// Answers questions about the running process: HTTP with JSON on a Unix socket that its owner alone may open, so that
// `curl --unix-socket /run/sluice.sock http://sluice/status` works as well as Sluice's own commands. Parameters stand in
// the path, or as a form in the body (`--data-urlencode`).
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import {
  ConfigError,
  type SerializedError,
  SluiceError,
  SystemError,
  serializeError,
  UsageError,
} from '../core/errors.ts';
import type { Component } from '../core/lifecycle.ts';
import type { Logger } from '../core/logger.ts';

/** Unless a command says otherwise. */
export const defaultSocket = '/run/sluice.sock';

/** What is asked for, by path: `/status`. */
export type Questions = Readonly<Record<string, (parameters: URLSearchParams) => unknown>>;

/** An answer that goes on for as long as somebody listens: values, a line of JSON each. */
export interface AnswerStream {
  write(value: object): void;
  /** The listener has not taken yet what was written. */
  readonly isFull: boolean;
  /** When the listener has asked for the end: the last values, and then end(). */
  onEnd(listener: () => void): void;
  end(): void;
  /** When nobody listens any more, however it came. */
  onClose(listener: () => void): void;
}

/** Questions whose answer is a stream, by path. */
export type Streams = Readonly<Record<string, (stream: AnswerStream, parameters: URLSearchParams) => void>>;

/** The body of an answer that is no success. */
export interface Refusal {
  readonly error: SerializedError;
}

export interface Answers {
  readonly questions: Questions;
  readonly streams: Streams;
}

const ownerOnly = 0o600;

/** The longest frame in hexadecimal digits, and room beside it. */
const longestForm = 262_144;

export class AdminServer implements Component {
  readonly name = 'admin socket';
  readonly #path: string;
  readonly #questions: Questions;
  readonly #streams: Streams;
  readonly #logger: Logger;
  readonly #server: Server;

  constructor(path: string, { questions, streams }: Answers, logger: Logger) {
    this.#path = path;
    this.#questions = questions;
    this.#streams = streams;
    this.#logger = logger;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<void> {
    if (await isAnswered(this.#path)) {
      throw new UsageError('another process answers on the admin socket', {
        value: this.#path,
        remedy: 'stop it, or choose another socket with --socket',
      });
    }
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', error => reject(openError(error, this.#path)));
      // Nobody else may open it, not even between its making and the change of its mode.
      const before = process.umask(0o777 & ~ownerOnly);
      this.#server.listen(this.#path, resolve);
      process.umask(before);
    });
    chmodSync(this.#path, ownerOnly);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://sluice');
    const question = Object.hasOwn(this.#questions, pathname) ? this.#questions[pathname] : undefined;
    const stream = Object.hasOwn(this.#streams, pathname) ? this.#streams[pathname] : undefined;
    try {
      if (stream !== undefined) {
        stream(streamInto(request, response), searchParams);
        return;
      }
      if (question === undefined) {
        const remedy = `use one of ${Object.keys({ ...this.#questions, ...this.#streams }).join(', ')}`;
        throw new UsageError('there is no such question', { value: pathname, remedy });
      }
      send(response, 200, question(request.method === 'POST' ? await formOf(request) : searchParams));
    } catch (error) {
      if (!(error instanceof SluiceError))
        this.#logger.error({ err: error, question: pathname }, 'no answer was found');
      const isAskedWrongly = error instanceof UsageError || error instanceof ConfigError;
      send(response, isAskedWrongly ? 400 : 500, { error: serializeError(error) } satisfies Refusal);
    }
  }
}

/** What is too long for a path comes as the body of a form. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > longestForm)
      throw new UsageError('the question is too long', { remedy: `use at most ${longestForm} bytes` });
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString());
}

/** The head of the answer goes with its first value, so that a refusal can still come instead. */
function streamInto(request: IncomingMessage, response: ServerResponse): AnswerStream {
  return {
    write: value => {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify(value)}\n`);
    },
    get isFull() {
      return response.writableNeedDrain;
    },
    // A question without a body has no end to wait for: whoever asks so closes the connection.
    onEnd: listener => {
      if (request.method === 'POST') request.once('end', listener).resume();
    },
    end: () => response.end(),
    onClose: listener => response.once('close', listener),
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function openError(error: unknown, path: string): SystemError {
  return SystemError.from(error, 'cannot open the admin socket', {
    value: path,
    remedy: 'choose another place with --socket',
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
