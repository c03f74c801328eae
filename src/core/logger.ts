// SPDX-License-Identifier: Apache-2.0
// Logs go to standard error: coloured text when standard error is a terminal, lines of JSON otherwise. Standard output
// is for the answers of commands.
//
// Every area of the program has a child logger: `logger.child({ area: 'director' })`. An error is logged under the key
// `err`: `logger.error({ err }, 'real server not added')`. The code, place and remedy of a SluiceError become fields.
//
// A fault that happens again and again does not fill the log (log-limit.ts). The reason of a line is its area, its words
// and the problem of its error, without the values in them.
import { type DestinationStream, type Level, type Logger, type LoggerOptions as LoggerOptionsOfPino, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { type Clock, systemClock } from './clock.ts';
import { type SerializedError, SluiceError, serializeError, UsageError } from './errors.ts';
import { LogLimit } from './log-limit.ts';
import { LogStream } from './log-stream.ts';

export type { Logger } from 'pino';

type LogFunction = NonNullable<NonNullable<LoggerOptionsOfPino['hooks']>['logMethod']>;

export type LogLevel = Level | 'silent';

export interface LoggerOptions {
  /** Messages below this level are not logged. `info` unless given. */
  readonly level?: LogLevel;
  /** True for text, false for lines of JSON. Unless given, text when standard error is a terminal. */
  readonly pretty?: boolean;
  /** The descriptor to write to; that of standard error unless given. */
  readonly descriptor?: number;
  /** The stream to write to instead. */
  readonly stream?: DestinationStream;
  readonly clock?: Clock;
}

const standardError = 2;

/** The levels in order: `trace` logs the most, `silent` nothing. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies LogLevel[];

/** Reads a level from a command line. Throws a UsageError for any other word. */
export function parseLogLevel(word: string): LogLevel {
  const level = logLevels.find(known => known === word);
  if (level !== undefined) return level;
  throw new UsageError('no such log level', { value: word, remedy: `use one of ${logLevels.join(', ')}` });
}

/**
 * Makes the logger from which a program makes all others. It writes at once, so no line is lost when the process ends. A
 * log that cannot be written stops nothing (log-stream.ts).
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const {
    level = 'info',
    pretty = process.stderr.isTTY,
    descriptor = standardError,
    stream,
    clock = systemClock,
  } = options;
  const own = new LogStream(descriptor);
  const limit = new LogLimit({ clock });
  const raw = stream ?? own;
  const logger = pino(
    {
      level,
      formatters: { level: label => ({ level: label }), bindings: ({ pid }) => ({ pid }) },
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      serializers: { err: serializeForLog },
      hooks: { logMethod: limitedBy(limit) },
    },
    pretty ? humanReadable(raw) : raw,
  );
  own.onRoom = lines => logger.warn({ lines }, 'lines of the log were lost');
  return logger;
}

/** `info` tells what was done, such as a change, once each time. Who asks for `debug` wants all, and `fatal` is the last line. */
const limitedLevels = ['warn', 'error'];

function limitedBy(limit: LogLimit): LogFunction {
  return function (args, method, level): void {
    const name = this.levels.labels[level] ?? '';
    if (!limitedLevels.includes(name)) {
      method.apply(this, args);
      return;
    }
    const [fields, line] = typeof args[0] === 'object' ? [args[0] as object, args[1]] : [{}, args[0]];
    const { area = '' } = this.bindings();
    const tell = (leftOut: number): void =>
      method.apply(this, [{ line, leftOut }, 'more lines like this one were left out']);
    const reason = [area, line, ...('err' in fields ? [problemOf(fields.err)] : subjectsOf(fields))].join('\n');
    if (limit.passes(name, reason, tell)) method.apply(this, args);
  };
}

/** What a line without an error is about, such as a service and a server: each has the line for itself. */
function subjectsOf(fields: object): string[] {
  return Object.values(fields).filter(value => typeof value === 'string');
}

/** Equal for errors that differ in their values only: the problem of a SluiceError has none, other messages have numbers. */
function problemOf(error: unknown): string {
  const { name, code, problem } = serializeError(error);
  return `${name} ${code} ${error instanceof SluiceError ? problem : problem.replaceAll(/\d+/g, '#')}`;
}

// A stack helps with errors that nobody expected. A SluiceError is expected.
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

// The message of an error contains all of its fields.
function describeForPerson({ name, code, message, stack }: SerializedError): string {
  return typeof stack === 'string' ? stack : `${name} ${code}: ${message}`;
}
