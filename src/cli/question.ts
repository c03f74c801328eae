// SPDX-License-Identifier: Apache-2.0
// Shared by the commands that send a question to a running Sluice.
import { defaultSocket } from '../control/api.ts';
import { ApiClient } from '../core/api/client.ts';
import {
  type ExitStatus,
  type OptionTypes,
  type ParsedOptions,
  type ParsingOptions,
  parseOptions,
  print,
} from './command.ts';

export const commonOptions = { socket: { type: 'string' }, json: { type: 'boolean' } } as const;

export const socketUsage = `  --socket PATH   the admin socket; ${defaultSocket} unless given`;

/** The usage of the options that all of these commands have. */
export const commonUsage = `${socketUsage}
  --json          print one JSON document instead of text`;

export interface Question<Answer> extends ParsingOptions {
  /** The command's own options, in addition to the common ones. */
  readonly options?: OptionTypes;
  ask(client: ApiClient, parsed: ParsedOptions): Promise<Answer>;
  text(answer: Answer, parsed: ParsedOptions): string;
  /** The exit status; 0 unless given. */
  status?(answer: Answer, parsed: ParsedOptions): ExitStatus;
}

/** Sends a question and prints the answer. */
export async function askAndPrint<Answer>(args: readonly string[], question: Question<Answer>): Promise<ExitStatus> {
  const parsed = parseOptions(args, { ...commonOptions, ...question.options }, question);
  const answer = await question.ask(clientOf(parsed), parsed);
  print(parsed.flags.has('json') ? `${JSON.stringify(answer)}\n` : question.text(answer, parsed));
  return question.status?.(answer, parsed) ?? 0;
}

export function clientOf({ values }: ParsedOptions): ApiClient {
  return new ApiClient(values.get('socket')?.[0] ?? defaultSocket);
}
