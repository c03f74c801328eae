// SPDX-License-Identifier: Apache-2.0
// Asks the running process, through its admin socket.
import { request } from 'node:http';
import { HostError, SystemError, UsageError } from '../core/errors.ts';
import { defaultSocket, type Refusal } from '../daemon/admin-server.ts';
import { type OptionTypes, type ParsedOptions, parseOptions, print } from './command.ts';

const commonOptions = { socket: { type: 'string' }, json: { type: 'boolean' } } as const;

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
async function ask<Answer>(socket: string, question: string, form: URLSearchParams | undefined): Promise<Answer> {
  const { status, body } = await exchange(socket, question, form);
  if (status === 200) return JSON.parse(body) as Answer;
  const { error } = JSON.parse(body) as Refusal;
  throw status === 400 ? new UsageError(error.message) : new HostError(error.message);
}

function exchange(
  socketPath: string,
  path: string,
  form: URLSearchParams | undefined,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, method: form === undefined ? 'GET' : 'POST' }, response => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
      response.on('error', reject);
    });
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
    asking.end(form?.toString());
  });
}
