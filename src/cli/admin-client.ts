// SPDX-License-Identifier: Apache-2.0
// Asks the running process, through its admin socket.
import { type IncomingMessage, request } from 'node:http';
import { HostError, SluiceError, SystemError, UsageError } from '../core/errors.ts';
import { defaultSocket, type Refusal } from '../daemon/admin-server.ts';
import { type OptionTypes, type ParsedOptions, parseOptions, print } from './command.ts';

export const commonOptions = { socket: { type: 'string' }, json: { type: 'boolean' } } as const;

/** The lines of a usage for what all commands that ask have in common. */
export const commonUsage = `  --socket PATH   where the process answers; ${defaultSocket} unless given
  --json          print one JSON document instead of text`;

export interface Question<Answer> {
  /** Of the admin socket. */
  readonly path: string;
  /** Beside those that all commands have. */
  readonly options?: OptionTypes;
  /** The parameters that do not stand in the path. */
  readonly form?: (parsed: ParsedOptions) => URLSearchParams;
  readonly text: (answer: Answer) => string;
}

/** Asks one question and prints the answer. */
export async function askAndPrint<Answer>(args: readonly string[], question: Question<Answer>): Promise<0> {
  const { path, options = {}, form, text } = question;
  const parsed = parseOptions(args, { ...commonOptions, ...options });
  const answer = await ask<Answer>(socketOf(parsed), path, form?.(parsed));
  print(parsed.flags.has('json') ? `${JSON.stringify(answer)}\n` : text(answer));
  return 0;
}

export function socketOf({ values }: ParsedOptions): string {
  return values.get('socket')?.[0] ?? defaultSocket;
}

/** Throws a SystemError when nobody answers, and with the words of a refusal a UsageError or a HostError. */
export async function ask<Answer>(socket: string, path: string, form?: URLSearchParams): Promise<Answer> {
  const response = await open(socket, path, form);
  const body = await text(response);
  if (response.statusCode !== 200) throw refusal(response, body);
  return JSON.parse(body) as Answer;
}

/** For what was found before an end to arrive. */
const lastWordsMilliseconds = 2000;

/**
 * The values of an answer that goes on. At the signal the process is asked to end it, and what it has found until then
 * still comes. Throws as ask() does.
 */
export async function* listen<Value>(socket: string, path: string, signal: AbortSignal): AsyncGenerator<Value> {
  const { asking, answer } = openRequest(socket, path, 'POST');
  asking.flushHeaders();
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    asking.end();
    timer = setTimeout(() => asking.destroy(), lastWordsMilliseconds);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end);
  try {
    const response = await answer;
    if (response.statusCode !== 200) throw refusal(response, await text(response));
    let rest = '';
    for await (const part of response.setEncoding('utf8')) {
      const lines = `${rest}${part}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as Value;
    }
  } catch (error) {
    // An answer that came to no end after all.
    if (!signal.aborted || error instanceof SluiceError) throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    asking.destroy();
  }
}

async function text(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return Buffer.concat(parts).toString();
}

function refusal({ statusCode }: IncomingMessage, body: string): SluiceError {
  const { error } = JSON.parse(body) as Refusal;
  return statusCode === 400 ? new UsageError(error.message) : new HostError(error.message);
}

function open(socketPath: string, path: string, form: URLSearchParams | undefined): Promise<IncomingMessage> {
  const { asking, answer } = openRequest(socketPath, path, form === undefined ? 'GET' : 'POST');
  asking.end(form?.toString());
  return answer;
}

function openRequest(socketPath: string, path: string, method: 'GET' | 'POST') {
  // A connection for each question: one that is kept may be closed by the other end just when the next is asked.
  const asking = request({ socketPath, path, method, agent: false });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    asking.on('response', resolve);
    asking.on('error', error => {
      try {
        reject(
          SystemError.from(error, 'no sluice answers', {
            value: socketPath,
            remedy: 'start one with `sluice run`, or name its socket with --socket',
          }),
        );
      } catch (unexpected) {
        reject(unexpected);
      }
    });
  });
  return { asking, answer };
}
