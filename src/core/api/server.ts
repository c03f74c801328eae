// SPDX-License-Identifier: Apache-2.0
// Answers requests on a Unix socket, or on connections that it is given: HTTP/1.1 with JSON (and text where a route says
// so), over TLS where it is given a certificate. So curl serves as well as Sluice's commands.
//
// The way of a request:
//   bytes ──▶ Node's parser ──▶ version, path, method ──▶ parameters by the schema ──▶ handler ──▶ JSON or a stream
//                 │ refused          │ 400, 404, 405            │ 400, 408, 413, 415      │ 400, 500, 503
//                 ▼                  ▼                          ▼                         ▼
//              400, 408, 431     each with a body {"error": …} that says what is wrong and what to do
//
// Whatever comes, the process goes on, and a client that waits gets an answer or sees its connection closed. Times and
// sizes are limited for what a client sends; an idle connection costs a descriptor until its time is over.
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { Compile } from 'typebox/compile';
import { suggest } from '../config/suggest.ts';
import { ApiError, SluiceError, UsageError } from '../errors.ts';
import type { Component } from '../lifecycle.ts';
import type { Logger } from '../logger.ts';
import { type Admit, admitAll } from './admission.ts';
import { sendJson, sendRefusal, sendStream, sendText } from './answer.ts';
import { Connection, refusalOf } from './connection.ts';
import { forward } from './forward.ts';
import { preferredType } from './media-types.ts';
import { parametersOfJson, parametersOfText } from './parameters.ts';
import { Refusal } from './refusal.ts';
import { type Answering, messageVersion, type RouteDefinition, versionHeader } from './route.ts';
import { type Listen, listenOn } from './unix-socket.ts';

export interface ApiLimits {
  /** Of a request's line and its header fields together. */
  readonly headBytes: number;
  /** The longest frame is 65,553 bytes, which is 131,106 hexadecimal digits. */
  readonly bodyBytes: number;
  /** From the beginning of a connection or of a request until its head is there. */
  readonly headMilliseconds: number;
  /** Until the body is there too. */
  readonly requestMilliseconds: number;
  /** After an answer, for the next request. */
  readonly idleMilliseconds: number;
  /** How long a plane's process may take until its answer begins. */
  readonly forwardMilliseconds: number;
  /** How long answers may take to end when the server stops. */
  readonly stopMilliseconds: number;
  /** A connection on which nothing moves for so long is closed, unless a stream is sent; 0: never. */
  readonly silentMilliseconds: number;
}

export const defaultLimits: ApiLimits = {
  headBytes: 16_384,
  bodyBytes: 262_144,
  headMilliseconds: 10_000,
  requestMilliseconds: 30_000,
  idleMilliseconds: 5_000,
  forwardMilliseconds: 30_000,
  stopMilliseconds: 2_000,
  silentMilliseconds: 0,
};

export interface ForwardTo {
  /** Of the socket. */
  readonly path: string;
  /** What that socket wants to be told before it answers. */
  readonly token?: string;
  /** Why nobody will answer there; undefined when a process answers, or will in a moment. */
  readonly unavailable?: () => SluiceError | undefined;
}

export interface ApiServerOptions {
  /** In logs and errors. */
  readonly name: string;
  readonly answers: readonly Answering[];
  /** Sockets of the processes that answer paths with these prefixes: '/director/'. */
  readonly forward?: Readonly<Record<string, ForwardTo>>;
  /** Unless given, whoever can open the socket is answered. */
  readonly admit?: Admit;
  /** Unless given, connections come by `accept`. */
  readonly listen?: Listen;
  /** Of a server that talks TLS. */
  readonly tls?: TlsOptions;
  readonly logger: Logger;
  readonly limits?: Partial<ApiLimits>;
  /** Whether each answer is held against its schema. For tests: an answer that does not fit becomes an error. */
  readonly checkAnswers?: boolean;
}

export class ApiServer implements Component {
  readonly name: string;
  readonly #options: ApiServerOptions;
  readonly #limits: ApiLimits;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Connection>();
  /** Connections that were accepted elsewhere, those included on which TLS has not begun yet. */
  readonly #accepted = new Set<Socket>();
  /** By path and method. */
  readonly #answers = new Map<string, Map<string, Answering>>();

  constructor(options: ApiServerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    for (const answering of options.answers) {
      const { path, method } = answering.definition;
      const methods = this.#answers.get(path) ?? new Map<string, Answering>();
      if (methods.has(method)) throw new TypeError(`two handlers answer ${method} ${path}`);
      this.#answers.set(path, methods.set(method, answering));
    }
    this.#server = this.#createServer();
  }

  async start(): Promise<void> {
    const { listen } = this.#options;
    // Node watches the time of requests from this event on.
    if (listen === undefined) this.#server.emit('listening');
    else await listenOn(this.#server, listen);
    // Later errors (no descriptors left, say) end nothing: the next connection may be taken again.
    this.#server.on('error', err => this.#options.logger.error({ err }, 'the admin socket has failed'));
  }

  /** Takes a connection that somebody else listens for. */
  accept(socket: Socket): void {
    this.#accepted.add(socket);
    socket.once('close', () => this.#accepted.delete(socket));
    socket.on('error', () => {});
    this.#server.emit('connection', socket);
  }

  /** Lets answers in progress end for a while; endless streams are told to end. */
  async stop(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const [socket, connection] of this.#connections) {
      connection.end();
      if (connection.isIdle) socket.destroy();
    }
    const timer = setTimeout(() => this.#closeAll(), this.#limits.stopMilliseconds);
    await closed;
    await Promise.all([...this.#accepted].map(isClosed));
    clearTimeout(timer);
  }

  #closeAll(): void {
    for (const socket of [...this.#connections.keys(), ...this.#accepted]) socket.destroy();
  }

  #createServer(): Server {
    const { headBytes, headMilliseconds, requestMilliseconds, idleMilliseconds } = this.#limits;
    const { tls } = this.#options;
    const options: ServerOptions = {
      maxHeaderSize: headBytes,
      headersTimeout: Math.min(headMilliseconds, requestMilliseconds),
      requestTimeout: requestMilliseconds,
      connectionsCheckingInterval: Math.min(1000, headMilliseconds),
      keepAliveTimeout: idleMilliseconds,
      // The name in a Host field says nothing here.
      requireHostHeader: false,
    };
    const server =
      tls === undefined
        ? createServer(options)
        : createTlsServer({ ...options, handshakeTimeout: headMilliseconds, ...tls });
    server.timeout = this.#limits.silentMilliseconds;
    // A client that closes its sending side waits for the answer (`nc -N`). @types/node does not know the property.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.#connections.set(socket, new Connection(socket));
      socket.once('close', () => this.#connections.delete(socket));
    });
    server.on('request', (request, response) => void this.#take(request, response));
    server.on('clientError', (error, socket) => {
      const connection = this.#connections.get(socket as Socket);
      // A connection on which TLS has failed is none yet.
      if (connection === undefined) socket.destroy();
      else connection.refuse(refusalOf(error));
    });
    server.on('connect', (_request, socket) => {
      const error = new UsageError('CONNECT is not answered here', { remedy: 'use GET or POST' });
      this.#connections.get(socket as Socket)?.refuse(new Refusal(405, error, { allow: 'GET, POST' }));
    });
    return server;
  }

  /** Answers one request, whatever happens. */
  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return void response.destroy();
    connection.begin(response);
    // Clients that go away are no errors of this process.
    request.on('error', () => {});
    response.on('error', () => {});
    await connection.inTurn(() => this.#takeNow(request, response, connection));
  }

  async #takeNow(request: IncomingMessage, response: ServerResponse, connection: Connection): Promise<void> {
    const { logger } = this.#options;
    // The client has gone while its requests before were answered.
    if (response.destroyed) return;
    try {
      await this.#answer(request, response, connection);
    } catch (error) {
      if (!(error instanceof SluiceError || error instanceof Refusal)) {
        logger.error({ err: error, path: request.url }, 'a request was not answered');
      }
      if (response.writableEnded || response.destroyed) return;
      // What is left of a body that nobody reads would be taken for the next request.
      if (!request.complete && !response.headersSent) response.setHeader('connection', 'close');
      sendRefusal(response, Refusal.of(error));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, connection: Connection): Promise<void> {
    checkVersion(request.headers[versionHeader]);
    const { admit = admitAll } = this.#options;
    const caller = admit(request);
    const [path, query] = splitTarget(request.url ?? '');
    const method = request.method ?? '';
    const methods = this.#answers.get(path);
    if (methods === undefined) return await this.#forward(path, request, response, connection, caller);
    const answering = methods.get(method);
    if (answering === undefined) throw wrongMethod(method, path, [...methods.keys()]);
    const { definition, handler } = answering;
    const mostBytes = definition.mostBytes ?? this.#limits.bodyBytes;
    const body = method === 'POST' ? await connection.readBody(request, mostBytes) : '';
    const parameters = signed(definition, readParameters(definition, request, query, body), caller);
    const { signal } = connection;
    if (definition.text !== undefined) {
      const mediaType = preferredType(definition.text, request.headers.accept);
      const answer = this.#checked(definition, await handler(parameters, { signal, mediaType }));
      return sendText(response, mediaType, String(answer));
    }
    const answer = handler(parameters, { signal });
    if (definition.streams) {
      request.socket.setTimeout(0);
      await sendStream(response, this.#checkedLines(definition, answer as AsyncIterable<unknown>));
    } else {
      sendJson(response, 200, this.#checked(definition, await answer));
    }
  }

  async #forward(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
    caller: string | undefined,
  ): Promise<void> {
    const prefixes = Object.entries(this.#options.forward ?? {});
    const [prefix, to] = prefixes.find(([each]) => path.startsWith(each)) ?? [];
    if (prefix === undefined || to === undefined) {
      throw unknownRoute(path, [...this.#answers.keys(), ...prefixes.map(([each]) => `${each}…`)]);
    }
    const unavailable = to.unavailable?.();
    if (unavailable !== undefined) throw unavailable;
    checkEncoding(request);
    const body = request.method === 'POST' ? await connection.readBody(request, this.#limits.bodyBytes) : undefined;
    request.socket.setTimeout(0);
    const milliseconds = this.#limits.forwardMilliseconds;
    const { path: socketPath, token } = to;
    const plane = prefix.replaceAll('/', '');
    const { signal } = connection;
    await forward({ socketPath, token, plane, request, body, caller, signal, milliseconds }, response);
  }

  #checked(definition: RouteDefinition, answer: unknown): unknown {
    if (this.#options.checkAnswers !== true) return answer;
    // As the client will see it.
    const seen: unknown = JSON.parse(JSON.stringify(answer ?? null));
    const [fault] = Compile(definition.answer).Errors(seen);
    if (fault === undefined) return answer;
    throw new TypeError(`the answer of ${definition.path} does not fit its schema: ${JSON.stringify(fault)}`);
  }

  async *#checkedLines(definition: RouteDefinition, lines: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    for await (const line of lines) yield this.#checked(definition, line);
  }
}

function checkVersion(version: string | string[] | undefined): void {
  if (version === undefined || version === messageVersion) return;
  throw new Refusal(
    400,
    new ApiError('SLUICE_API_VERSION', 'the request comes from another version of sluice', {
      value: version,
      remedy: `use the command of the sluice that runs, whose messages are of version ${messageVersion}, or restart it`,
    }),
  );
}

/** A client may reset its connection meanwhile: that closes it, too. */
function isClosed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise(resolve => socket.once('close', () => resolve()));
}

/** Who asks for a change is the one that the server knows. */
function signed(definition: RouteDefinition, parameters: unknown, caller: string | undefined): unknown {
  if (caller === undefined || !Object.hasOwn(definition.parameters.properties, 'author')) return parameters;
  return { ...(parameters as object), author: caller };
}

/** Path and query. A target may also be a whole URL (RFC 9112 3.2.2), of which the name of the host says nothing here. */
function splitTarget(target: string): [path: string, query: string] {
  const own = target.replace(/^https?:\/\/[^/?#]*/i, '');
  const [whole = ''] = own.split('#');
  const mark = whole.indexOf('?');
  return mark < 0 ? [whole || '/', ''] : [whole.slice(0, mark) || '/', whole.slice(mark + 1)];
}

function readParameters(definition: RouteDefinition, request: IncomingMessage, query: string, body: string): unknown {
  if (definition.method === 'GET') return parametersOfText(definition, query);
  if (query !== '') {
    throw new UsageError('the parameters of a POST stand in its body', { value: query, remedy: 'send them there' });
  }
  checkEncoding(request);
  const { 'content-type': type = '' } = request.headers;
  const [media = ''] = type.toLowerCase().split(';');
  if (body === '' || media.trim() === 'application/json') return parametersOfJson(definition, body);
  if (media.trim() === 'application/x-www-form-urlencoded') return parametersOfText(definition, body);
  throw notTaken('the type of the body', type, 'use application/json or application/x-www-form-urlencoded');
}

function checkEncoding({ headers: { 'content-encoding': encoding = 'identity' } }: IncomingMessage): void {
  if (encoding !== 'identity') throw notTaken('the encoding of the body', encoding, 'send it as it is');
}

function notTaken(what: string, value: string, remedy: string): Refusal {
  return new Refusal(415, new UsageError(`${what} is not known here`, { value, remedy }));
}

function wrongMethod(method: string, path: string, known: readonly string[]): Refusal {
  const error = new UsageError(`${path} is not asked by ${method}`, { remedy: `use ${known.join(' or ')}` });
  return new Refusal(405, error, { allow: known.join(', ') });
}

function unknownRoute(path: string, known: readonly string[]): Refusal {
  const meant = suggest(path, known);
  const remedy = meant.startsWith('did you mean') ? meant : `use one of ${known.join(', ')}`;
  return new Refusal(404, new UsageError('there is no such question', { value: path, remedy }));
}
