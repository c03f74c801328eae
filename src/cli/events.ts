// SPDX-License-Identifier: Apache-2.0
// `sluice events`: what happened on this host, a line each; with --follow also what happens next.
import { eventsRoute, followEventsRoute } from '../control/api.ts';
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import { sleep, systemClock } from '../core/clock.ts';
import { ApiError, UsageError } from '../core/errors.ts';
import type { SluiceEvent } from '../core/events/event.ts';
import { given } from '../core/given.ts';
import { type Command, type ExitStatus, type ParsedOptions, parseOptions, print } from './command.ts';
import { clientOf, commonOptions, commonUsage } from './question.ts';
import { secondsOf } from './terms.ts';

type Asked = ParametersOf<typeof followEventsRoute>;
type Line = AnswerOf<typeof followEventsRoute>;

const usualMost = 50;

const usage = `Usage: sluice events [OPTION…]

Lists what happened on this host, the latest last: servers that went down or came back, services without a server, pools
that are nearly empty, processes that crashed, changes of the configuration with their authors, maintenance, starts and
ends. docs/events.md has all kinds.

  --follow        go on with each event that comes; Ctrl-C ends
  --since TIME    only events of the last 90s, 30m or 5h, or since a time such as 2026-01-31T12:00:00Z
  --kind KIND     only events of this kind, or of all kinds that begin so: server.down, server; may be repeated
  -n, --most N    the latest N events; ${usualMost} unless given
${commonUsage}; with --follow, a line of JSON for each event
`;

const options = {
  ...commonOptions,
  follow: { type: 'boolean' },
  since: { type: 'string' },
  kind: { type: 'string', multiple: true },
  most: { type: 'string', short: 'n' },
} as const;

/** For a control that is being replaced to answer again. */
const patienceMilliseconds = 15_000;
const retryMilliseconds = 500;

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options);
  const isJson = parsed.flags.has('json');
  const asked = askedBy(parsed);
  if (parsed.flags.has('follow')) return await follow(parsed, asked, isJson ? jsonLine : eventLine);
  const answer = await clientOf(parsed).call(eventsRoute, asked);
  print(isJson ? `${JSON.stringify(answer)}\n` : answer.events.map(eventLine).join(''));
  return 0;
}

function askedBy({ values }: ParsedOptions): Asked {
  const [since, most] = ['since', 'most'].map(name => values.get(name)?.[0]);
  return {
    most: most === undefined ? usualMost : mostOf(most),
    ...given({ since: since === undefined ? undefined : timeOf(since), kind: values.get('kind') }),
  };
}

function mostOf(word: string): number {
  const most = Number(word);
  if (Number.isInteger(most) && most > 0) return most;
  throw new UsageError('not a number of events', { value: word, remedy: 'use 1 or more' });
}

function timeOf(word: string): string {
  const isTime = /^\d{4}-/.test(word) && !Number.isNaN(Date.parse(word));
  return new Date(isTime ? Date.parse(word) : systemClock.now() - secondsOf(word) * 1000).toISOString();
}

/** Goes on over a control that was replaced, after the last event that was printed. */
async function follow(parsed: ParsedOptions, asked: Asked, lineOf: (line: Line) => string): Promise<ExitStatus> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  let last: number | undefined;
  let patientUntil = 0;
  try {
    while (!ending.signal.aborted) {
      const { most, ...rest } = asked;
      const wanted: Asked = last === undefined ? asked : { ...rest, after: last };
      const began = systemClock.now();
      try {
        for await (const line of clientOf(parsed).stream(followEventsRoute, wanted, { signal: ending.signal })) {
          if ('number' in line) last = line.number;
          patientUntil = systemClock.now() + patienceMilliseconds;
          print(lineOf(line));
        }
        patientUntil = systemClock.now() + patienceMilliseconds;
      } catch (error) {
        if (wasOpen(error, began)) patientUntil = systemClock.now() + patienceMilliseconds;
        if (systemClock.now() >= patientUntil) throw error;
      }
      await sleep(systemClock, retryMilliseconds, ending.signal).catch(() => undefined);
    }
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  return 0;
}

/** Whether a stream was open before it broke off. Nothing needs to have come of it: connecting fails at once, or works. */
function wasOpen(error: unknown, began: number): boolean {
  const hasBrokenOff = error instanceof ApiError && error.code === 'SLUICE_API_ANSWER';
  return hasBrokenOff && systemClock.now() - began >= retryMilliseconds;
}

function jsonLine(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}

export function eventLine(line: SluiceEvent | Line): string {
  if (!('number' in line)) return `(${line.missed} events before this one are not kept any more)\n`;
  return `${line.at}  ${line.severity.padEnd('warning'.length)}  ${line.kind.padEnd(longestKind)}  ${line.text}\n`;
}

const longestKind = 'process.started-again'.length;

export const eventsCommand: Command = { usage, run };
