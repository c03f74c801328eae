// SPDX-License-Identifier: Apache-2.0
// Asks a process of Sluice over its Unix socket. A refusal becomes the error that the process found: the same class, code,
// place, remedy and exit status.
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { ApiError, type SluiceError, SystemError } from '../errors.ts';
import { given } from '../given.ts';
import { errorFrom, isRefusalBody } from './refusal.ts';
import {
  type AnswerOf,
  authorization,
  messageVersion,
  type ParametersOf,
  type RouteDefinition,
  versionHeader,
} from './route.ts';

export interface ApiClientOptions {
  /** Of the messages; another one than this program's is for tests. */
  readonly version?: string;
  /** Of a socket that wants one. */
  readonly token?: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface TextOptions extends CallOptions {
  /** The media type that is wanted; unless given, the one that the route offers first. */
  readonly accept?: string;
}

/** For the values that a stream still gives after its client has asked for the end. */
const lastValuesMilliseconds = 2000;

export class ApiClient {
  readonly #socketPath: string;
  readonly #version: string;
  readonly #token: string | undefined;

  constructor(socketPath: string, { version = messageVersion, token }: ApiClientOptions = {}) {
    this.#socketPath = socketPath;
    this.#version = version;
    this.#token = token;
  }

  /** Throws a SystemError when nobody answers, and otherwise the error that the process answers with. */
  async call<D extends RouteDefinition>(
    definition: D,
    parameters: ParametersOf<D>,
    { signal }: CallOptions = {},
  ): Promise<AnswerOf<D>> {
    return this.#value((await this.#whole(definition, parameters, given({ signal }))).text) as AnswerOf<D>;
  }

  /** The answer of a route that answers with text. Throws as call() does. */
  async text<D extends RouteDefinition>(
    definition: D,
    parameters: ParametersOf<D>,
    options: TextOptions = {},
  ): Promise<string> {
    const { status, text } = await this.#whole(definition, parameters, options);
    if (status !== 200) this.#value(text);
    return text;
  }

  async #whole(
    definition: RouteDefinition,
    parameters: Readonly<Record<string, unknown>>,
    { signal, accept }: TextOptions,
  ): Promise<{ status: number | undefined; text: string }> {
    signal?.throwIfAborted();
    const { asking, answer } = this.#open(definition, parameters, accept === undefined ? {} : { accept });
    const abort = (): void => void asking.destroy();
    signal?.addEventListener('abort', abort);
    try {
      const message = await answer;
      return { status: message.statusCode, text: await textOf(message) };
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      asking.destroy();
    }
  }

  /**
   * The values of a stream. At the signal the process is asked to end the stream; the values that it still gives come, and
   * then the iteration ends without an error. Throws as call() does, and when the stream breaks off.
   */
  async *stream<D extends RouteDefinition>(
    definition: D,
    parameters: ParametersOf<D>,
    { signal }: CallOptions = {},
  ): AsyncGenerator<AnswerOf<D>, void, undefined> {
    if (signal?.aborted) return;
    const { asking, answer } = this.#open(definition, parameters);
    let timer: NodeJS.Timeout | undefined;
    // The process reads the end of what this side sends.
    const endSending = (): void => void asking.socket?.end();
    const end = (): void => {
      if (asking.writableFinished) endSending();
      else asking.once('finish', endSending);
      timer = setTimeout(() => asking.destroy(), lastValuesMilliseconds);
    };
    signal?.addEventListener('abort', end);
    try {
      for await (const lines of linesOf(await answer)) {
        for (const line of lines) yield this.#value(line) as AnswerOf<D>;
      }
    } catch (error) {
      // A stream that did not end in time after it was asked to.
      if (!(signal?.aborted && error instanceof ApiError && error.code === 'SLUICE_API_ANSWER')) throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      asking.destroy();
    }
  }

  #open(
    definition: RouteDefinition,
    parameters: Readonly<Record<string, unknown>>,
    fields: Readonly<Record<string, string>> = {},
  ) {
    const { method } = definition;
    const [path, body] =
      method === 'GET'
        ? [`${definition.path}${queryOf(parameters)}`, undefined]
        : [definition.path, JSON.stringify(parameters)];
    const headers = {
      ...fields,
      [versionHeader]: this.#version,
      ...(this.#token === undefined ? {} : { authorization: authorization(this.#token) }),
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    };
    // Each request has its own connection: the other end may close one that is kept just when the next request is sent.
    const asking = request({ socketPath: this.#socketPath, path, method, headers, agent: false });
    const answer = this.#answerTo(asking).then(checkedVersion);
    asking.end(body);
    return { asking, answer };
  }

  #answerTo(asking: ClientRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      asking.once('response', resolve);
      asking.on('error', error => reject(this.#noAnswer(error)));
      asking.once('close', () => reject(brokenOff()));
    });
  }

  /** Why no answer has begun. */
  #noAnswer(error: NodeJS.ErrnoException): unknown {
    if (error.syscall !== 'connect') return brokenOff(error);
    try {
      return SystemError.from(error, 'no sluice answers', {
        value: this.#socketPath,
        remedy: 'start one with `sluice run`, or name its socket with --socket',
      });
    } catch (unexpected) {
      return unexpected;
    }
  }

  #value(text: string): unknown {
    const value = parsed(text);
    if (isRefusalBody(value)) throw errorFrom(value.error);
    return value;
  }
}

/** '?a=1&b=two&b=three'; an empty string for no parameters. */
function queryOf(parameters: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) query.append(name, String(item));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of answer) parts.push(part);
  } catch (error) {
    throw brokenOff(error);
  }
  return Buffer.concat(parts).toString();
}

/** The lines that each part of the answer completes. */
async function* linesOf(answer: IncomingMessage): AsyncGenerator<string[], void, undefined> {
  let rest = '';
  try {
    for await (const part of answer.setEncoding('utf8')) {
      const lines = `${rest}${part}`.split('\n');
      rest = lines.pop() ?? '';
      yield lines;
    }
  } catch (error) {
    throw brokenOff(error);
  }
  if (rest !== '') throw brokenOff();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('SLUICE_API_ANSWER', 'what answers is not sluice: the answer is not JSON', {
      value: text,
      remedy: 'name the socket of a `sluice run` with --socket',
      cause,
    });
  }
}

async function checkedVersion(answer: IncomingMessage): Promise<IncomingMessage> {
  const version = answer.headers[versionHeader];
  if (version === messageVersion) return answer;
  // The process's own words are better, where it has refused this version.
  const error = version === undefined ? undefined : refusalIn(await textOf(answer));
  throw (
    error ??
    new ApiError('SLUICE_API_VERSION', 'another version of sluice answers, or another program', {
      value: version ?? 'no version',
      remedy: `use its own command: messages of this one are of version ${messageVersion}`,
    })
  );
}

function refusalIn(text: string): SluiceError | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRefusalBody(value) ? errorFrom(value.error) : undefined;
  } catch {
    return undefined;
  }
}

function brokenOff(cause?: unknown): ApiError {
  return new ApiError('SLUICE_API_ANSWER', 'the answer broke off before its end', {
    remedy: 'ask again: the process may have been replaced; its log says why',
    cause,
  });
}
