// SPDX-License-Identifier: Apache-2.0
// Logs go to standard error: lines of JSON for machines, coloured text when a person's terminal is attached there.
// Standard output belongs to the answers of commands.
//
// Every area of the program logs through a child: `logger.child({ area: 'director' })`. Errors go under the key `err`:
// `logger.error({ err }, 'real server not added')`. A SluiceError keeps its code, place and remedy as fields.
import { type DestinationStream, destination, type Level, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { type Clock, systemClock } from './clock.ts';
import { type SerializedError, SluiceError, serializeError, UsageError } from './errors.ts';

export type { Logger } from 'pino';

export type LogLevel = Level | 'silent';

export interface LoggerOptions {
  /** Nothing below this level is logged; `info` unless said otherwise. */
  readonly level?: LogLevel;
  /** Text for people or lines of JSON; unless said otherwise, whether standard error is a terminal. */
  readonly pretty?: boolean;
  /** Where to write instead of standard error. */
  readonly stream?: DestinationStream;
  readonly clock?: Clock;
}

const standardError = 2;

/** From the most to the least talkative. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies LogLevel[];

/** The level that a word of a command line or a configuration names. */
export function parseLogLevel(word: string): LogLevel {
  const level = logLevels.find(known => known === word);
  if (level !== undefined) return level;
  throw new UsageError('no such log level', { value: word, remedy: `use one of ${logLevels.join(', ')}` });
}

/** The root of a program's loggers. Lines are written synchronously: none is lost when the process ends. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = 'info', pretty = process.stderr.isTTY, stream, clock = systemClock } = options;
  const raw = stream ?? destination({ dest: standardError, sync: true });
  return pino(
    {
      level,
      formatters: { level: label => ({ level: label }), bindings: ({ pid }) => ({ pid }) },
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      serializers: { err: serializeForLog },
    },
    pretty ? humanReadable(raw) : raw,
  );
}

// A stack helps where the error was not foreseen, and only there.
function serializeForLog(error: unknown): SerializedError {
  const plain = serializeError(error);
  return error instanceof Error && !(error instanceof SluiceError) ? { ...plain, stack: error.stack } : plain;
}

function humanReadable(raw: DestinationStream): DestinationStream {
  const format = prettyFactory({
    colorize: process.env.NO_COLOR === undefined || process.env.NO_COLOR === '',
    ignore: 'pid,area',
    messageFormat: '{if area}{area}: {end}{msg}',
    translateTime: 'SYS:HH:MM:ss.l',
    errorLikeObjectKeys: [],
    customPrettifiers: { err: error => describeForPerson(error as unknown as SerializedError) },
  });
  return { write: line => raw.write(format(line)) };
}

// The message of an error says everything; its fields would say it twice.
function describeForPerson({ name, code, message, stack }: SerializedError): string {
  return typeof stack === 'string' ? stack : `${name} ${code}: ${message}`;
}
