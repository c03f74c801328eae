// SPDX-License-Identifier: Apache-2.0
// The errors that Sluice throws. An error has a stable `code`, which programs test, and a message for people. The
// message says where the mistake is, what is wrong, with which value, and what to do. The parts of the message are also
// fields of the error, and logs and `--json` contain these fields, so that nobody has to parse the text.
//
// To add a code, add one line to `errorCodes`. The prefix of a code says which class has it (SLUICE_CONFIG_… is a
// ConfigError). A code that was released keeps its meaning. The text of messages may change.
import { getSystemErrorMap, getSystemErrorName, inspect } from 'node:util';

/** Every code with its meaning. */
export const errorCodes = {
  SLUICE_CONFIG_SYNTAX: 'the text of a configuration cannot be read as what it should be (YAML, an ipvsadm command, …)',
  SLUICE_CONFIG_INVALID: 'a configuration can be read, and a value in it is not allowed',
  SLUICE_CONFIG_CONFLICT: 'two parts of a configuration contradict each other',
  SLUICE_USAGE: 'a command or a function was called with arguments that it does not take',
  SLUICE_SYSTEM_CALL: 'the operating system refused a call',
  SLUICE_HOST: 'the host cannot be used as asked: a device is missing, a permission, or a feature of its kernel',
  SLUICE_CAPTURE_FORMAT: 'a capture file is not of a format that Sluice reads, or is corrupt',
  SLUICE_CAPTURE_TRUNCATED: 'a capture file ends in the middle of a record',
  SLUICE_ADDON_MISSING: 'the native module has not been built, or is not where it was looked for',
  SLUICE_ADDON_UNLOADABLE: 'the native module is there and cannot be loaded',
  SLUICE_ADDON_OUTDATED: 'the native module was built from other sources than this program',
  SLUICE_MESSAGE: 'a message between two processes of Sluice does not fit what the other end understands',
  SLUICE_PLANE_REFUSED: 'a plane cannot do what a snapshot asks for; everything goes on as before',
  SLUICE_PLANE_TIMEOUT: 'a plane did not say in time whether it can do what a snapshot asks for',
  SLUICE_PLANE_LOST: 'the process of a plane ended, or has no such change prepared',
  SLUICE_HISTORY: 'the history of snapshots cannot be used: a newer program wrote it, or an entry is not kept',
  SLUICE_LIFECYCLE_START: 'a component did not start; those that had started were stopped again',
  SLUICE_LIFECYCLE_STOP: 'a component did not stop cleanly, or not in time',
  SLUICE_LIFECYCLE_ABORTED: 'starting was given up because the caller asked for it',
  SLUICE_UNAVAILABLE: 'the process that would answer does not run at this moment',
  SLUICE_API_VERSION: 'two processes of different versions of Sluice have met on a socket',
  SLUICE_API_ANSWER: 'the answer to a request ended before it was complete, or is not what Sluice answers',
  SLUICE_API_INTERNAL: 'a process of Sluice failed to answer because of a mistake in Sluice',
} as const;

export type ErrorCode = keyof typeof errorCodes;
type CodesOf<Area extends string> = Extract<ErrorCode, `SLUICE_${Area}` | `SLUICE_${Area}_${string}`>;

/** The place of a mistake. Lines and columns count from 1, as in editors. */
export interface Place {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

export interface ErrorDetails {
  readonly place?: Place | undefined;
  /** The wrong value, as it was found. */
  readonly value?: unknown;
  /** What the reader should do, in the imperative and without a full stop: 'use a port from 1 to 65535'. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** The form of an error in logs and in `--json`. */
export interface SerializedError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly problem: string;
  readonly [field: string]: unknown;
}

// The longest part of a value that a message quotes: long enough to recognise the value, short enough for a line of a
// log.
const longestQuotedValue = 120;

/** The value as a message quotes it: shortened, and on one line. */
export function quoteValue(value: unknown): string {
  let text: string | undefined;
  if (typeof value === 'bigint') text = String(value);
  else if (value instanceof Error) text = value.message;
  else {
    try {
      text = JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part));
    } catch {
      // The value refers to itself, or its toJSON throws.
    }
  }
  text ??= inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  // Cut first: the search takes the square of the length where there is nothing but spaces.
  const line = text.slice(0, 10 * longestQuotedValue).replaceAll(/\s*[\r\n]\s*/g, ' ');
  return line.length > longestQuotedValue ? `${line.slice(0, longestQuotedValue)}…` : line;
}

/** A place as compilers write it and editors understand it: `director.yaml:12:9`. Empty when nothing is known. */
export function formatPlace(place: Place | undefined): string {
  if (place === undefined) return '';
  const parts = [place.file, place.line, place.line === undefined ? undefined : place.column];
  const known = parts.filter(part => part !== undefined).join(':');
  return place.file === undefined && place.line !== undefined ? `line ${known}` : known;
}

function composeMessage(problem: string, details: ErrorDetails): string {
  const place = formatPlace(details.place);
  const where = place === '' ? '' : `${place}: `;
  const which = details.value === undefined ? '' : `: ${quoteValue(details.value)}`;
  const advice = details.remedy === undefined ? '' : ` (${details.remedy})`;
  return `${where}${problem}${which}${advice}`;
}

/** The base class of all errors that Sluice throws on purpose. */
export class SluiceError extends Error {
  override readonly name: string = 'SluiceError';
  readonly code: ErrorCode;
  /** The problem, without the value, the place and the remedy. */
  readonly problem: string;
  readonly place: Place | undefined;
  readonly value: unknown;
  readonly remedy: string | undefined;
  /** The exit status of a command that ends with this error. */
  readonly exitStatus: 1 | 2 = 1;

  constructor(code: ErrorCode, problem: string, details: ErrorDetails = {}) {
    super(composeMessage(problem, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.problem = problem;
    this.place = details.place;
    this.value = details.value;
    this.remedy = details.remedy;
  }

  toJSON(): SerializedError {
    const { name, code, message, problem, place, remedy } = this;
    return {
      name,
      code,
      message,
      problem,
      ...(this.value === undefined ? {} : { value: quoteValue(this.value) }),
      ...(place === undefined ? {} : { place }),
      ...(remedy === undefined ? {} : { remedy }),
      ...(this.cause === undefined ? {} : { cause: serializeError(this.cause) }),
    };
  }
}

/** A configuration is wrong. */
export class ConfigError extends SluiceError {
  override readonly name = 'ConfigError';

  constructor(code: CodesOf<'CONFIG'>, problem: string, details?: ErrorDetails) {
    super(code, problem, details);
  }
}

/** A command line or a call of a function is wrong. A command exits with status 2. */
export class UsageError extends SluiceError {
  override readonly name = 'UsageError';
  override readonly exitStatus = 2;

  constructor(problem: string, details?: ErrorDetails) {
    super('SLUICE_USAGE', problem, details);
  }
}

export interface SystemErrorDetails extends ErrorDetails {
  /** The error number of errno(3), a positive number. */
  readonly errno: number;
  /** The name of the system call, as in its manual page: 'bind'. */
  readonly syscall: string;
}

/** The operating system refused a call. */
export class SystemError extends SluiceError {
  override readonly name = 'SystemError';
  readonly errno: number;
  /** The name of the error number: 'EADDRINUSE'. */
  readonly errnoName: string;
  readonly syscall: string;

  constructor(problem: string, details: SystemErrorDetails) {
    const errnoName = getSystemErrorName(-details.errno);
    const words = getSystemErrorMap().get(-details.errno)?.[1];
    const reason = words === undefined ? errnoName : `${errnoName}, ${words}`;
    super('SLUICE_SYSTEM_CALL', `${problem}: ${details.syscall}: ${reason}`, details);
    this.errno = details.errno;
    this.errnoName = errnoName;
    this.syscall = details.syscall;
  }

  /** Wraps an error that a function of Node has thrown. Any other value is thrown again unchanged. */
  static from(error: unknown, problem: string, details: ErrorDetails = {}): SystemError {
    if (!isNodeSystemError(error)) throw error;
    return new SystemError(problem, { ...details, errno: -error.errno, syscall: error.syscall, cause: error });
  }

  override toJSON(): SerializedError {
    return { ...super.toJSON(), errno: this.errno, errnoName: this.errnoName, syscall: this.syscall };
  }
}

/** The host's kernel refused something that the native module asked for. The problem names the call. */
export class HostError extends SluiceError {
  override readonly name = 'HostError';

  constructor(problem: string, details: ErrorDetails = {}) {
    super('SLUICE_HOST', problem, details);
  }
}

function isNodeSystemError(error: unknown): error is Error & { errno: number; syscall: string } {
  if (!(error instanceof Error)) return false;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  return typeof errno === 'number' && typeof syscall === 'string';
}

export interface CaptureErrorDetails extends ErrorDetails {
  /** The offset in the file, in bytes, of the first part that cannot be read. */
  readonly offset: number;
}

/** A capture cannot be read further. The packets before this place are good. */
export class CaptureError extends SluiceError {
  override readonly name = 'CaptureError';
  readonly offset: number;

  constructor(code: CodesOf<'CAPTURE'>, problem: string, details: CaptureErrorDetails) {
    super(code, `at byte ${details.offset}: ${problem}`, details);
    this.offset = details.offset;
  }

  override toJSON(): SerializedError {
    return { ...super.toJSON(), offset: this.offset };
  }
}

/** The native module cannot be used. */
export class AddonError extends SluiceError {
  override readonly name = 'AddonError';

  constructor(code: CodesOf<'ADDON'>, problem: string, details?: ErrorDetails) {
    super(code, problem, details);
  }
}

/** A message between two processes does not fit. */
export class MessageError extends SluiceError {
  override readonly name = 'MessageError';

  constructor(problem: string, details?: ErrorDetails) {
    super('SLUICE_MESSAGE', problem, details);
  }
}

/** A plane does not do what it was asked for. */
export class PlaneError extends SluiceError {
  override readonly name = 'PlaneError';

  constructor(code: CodesOf<'PLANE'>, problem: string, details?: ErrorDetails) {
    super(code, problem, details);
  }
}

/** The history of snapshots has not what was asked for. */
export class HistoryError extends SluiceError {
  override readonly name = 'HistoryError';

  constructor(problem: string, details?: ErrorDetails) {
    super('SLUICE_HISTORY', problem, details);
  }
}

export interface LifecycleErrorDetails extends ErrorDetails {
  /** The errors of the components that failed, in the order in which they failed. */
  readonly errors: readonly unknown[];
}

/** Components failed to start or to stop. */
export class LifecycleError extends SluiceError {
  override readonly name = 'LifecycleError';
  readonly errors: readonly unknown[];

  constructor(code: CodesOf<'LIFECYCLE'>, problem: string, details: LifecycleErrorDetails) {
    super(code, problem, details);
    this.errors = details.errors;
  }

  override toJSON(): SerializedError {
    return { ...super.toJSON(), errors: this.errors.map(serializeError) };
  }
}

/** The process that would answer does not run. Another one may run in a moment. */
export class UnavailableError extends SluiceError {
  override readonly name = 'UnavailableError';

  constructor(problem: string, details?: ErrorDetails) {
    super('SLUICE_UNAVAILABLE', problem, details);
  }
}

/** A request to a process of Sluice, or its answer, went wrong on the way. */
export class ApiError extends SluiceError {
  override readonly name = 'ApiError';

  constructor(code: CodesOf<'API'>, problem: string, details?: ErrorDetails) {
    super(code, problem, details);
  }
}

/**
 * Any thrown value as plain data for logs and `--json`. An error of another library keeps its own code, if it has one.
 */
export function serializeError(error: unknown): SerializedError {
  if (error instanceof SluiceError) return error.toJSON();
  if (!(error instanceof Error)) {
    const text = quoteValue(error);
    return { name: typeof error, code: 'UNKNOWN', message: text, problem: text };
  }
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  return {
    name: error.name,
    code: code ?? 'UNKNOWN',
    message: error.message,
    problem: error.message,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}
