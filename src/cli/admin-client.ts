// SPDX-License-Identifier: Apache-2.0
// Asks the running process, through its admin socket.
import { request } from 'node:http';
import { HostError, SystemError } from '../core/errors.ts';
import { defaultSocket, type Refusal } from '../daemon/admin-server.ts';
import { type OptionTypes, type ParsedOptions, parseOptions, print } from './command.ts';

const commonOptions = { socket: { type: 'string' }, json: { type: 'boolean' } } as const;

/** The lines of a usage for what all commands that ask have in common. */
export const commonUsage = `  --socket PATH   where the process answers; ${defaultSocket} unless given
  --json          print one JSON document instead of text`;

/** Asks one question and prints the answer. */
export async function askAndPrint<Answer>(
  args: readonly string[],
  question: string,
  text: (answer: Answer, parsed: ParsedOptions) => string,
  options: OptionTypes = {},
): Promise<0> {
  const parsed = parseOptions(args, { ...commonOptions, ...options });
  const answer = await ask<Answer>(parsed.values.get('socket')?.[0] ?? defaultSocket, question);
  print(parsed.flags.has('json') ? `${JSON.stringify(answer)}\n` : text(answer, parsed));
  return 0;
}

/** Throws a SystemError when nobody answers, and a HostError with the words of a refusal. */
export async function ask<Answer>(socket: string, question: string): Promise<Answer> {
  const { status, body } = await exchange(socket, question);
  if (status === 200) return JSON.parse(body) as Answer;
  const { error } = JSON.parse(body) as Refusal;
  throw new HostError(error.message);
}

function exchange(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path }, response => {
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
    asking.end();
  });
}
