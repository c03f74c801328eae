// SPDX-License-Identifier: Apache-2.0
// Errors on their way through a socket. The server answers an error with a status and a body `{"error": {…}}`; the client
// makes an error of the same class with the same fields of it, so that a command ends as if it had found the error itself.
import { ConfigErrors } from '../config/problems.ts';
import {
  AddonError,
  ApiError,
  CaptureError,
  ConfigError,
  type ErrorDetails,
  errorCodes,
  HostError,
  LifecycleError,
  MessageError,
  type Place,
  PlaneError,
  type SerializedError,
  SluiceError,
  SystemError,
  serializeError,
  UnavailableError,
  UsageError,
} from '../errors.ts';

/** The body of an answer that is no success, and the last line of a stream that failed. */
export interface RefusalBody {
  readonly error: SerializedError;
}

/** An error with the status of HTTP that says best what it is. */
export class Refusal extends Error {
  readonly status: number;
  readonly error: SluiceError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: SluiceError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message, { cause: error });
    this.status = status;
    this.error = error;
    this.headers = headers;
  }

  /** Of whatever a handler throws. */
  static of(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (error instanceof UsageError || error instanceof ConfigError) return new Refusal(400, error);
    if (error instanceof UnavailableError) return new Refusal(503, error);
    if (error instanceof SluiceError) return new Refusal(500, error);
    const { message } = serializeError(error);
    const remedy = "report this; the process's log says where it happened";
    return new Refusal(500, new ApiError('SLUICE_API_INTERNAL', `a mistake in sluice: ${message}`, { remedy }));
  }

  get body(): RefusalBody {
    return { error: this.error.toJSON() };
  }
}

export function isRefusalBody(value: unknown): value is RefusalBody {
  if (typeof value !== 'object' || value === null || !('error' in value)) return false;
  const { error } = value;
  return typeof error === 'object' && error !== null && 'code' in error && 'problem' in error && 'message' in error;
}

type Maker = (problem: string, details: ErrorDetails, told: SerializedError) => SluiceError;

/** By the names of the classes. */
const makers: Readonly<Record<string, Maker>> = {
  UsageError: (problem, details) => new UsageError(problem, details),
  HostError: (problem, details) => new HostError(problem, details),
  UnavailableError: (problem, details) => new UnavailableError(problem, details),
  ConfigError: (problem, details, { code, errors, omitted }) => {
    const error = new ConfigError(code as ConfigError['code'] & `SLUICE_CONFIG_${'INVALID'}`, problem, details);
    const all = Array.isArray(errors)
      ? errors.map(each => errorFrom(each)).filter(each => each instanceof ConfigError)
      : [];
    return all.length === 0 ? error : new ConfigErrors(error, all, Number(omitted ?? 0));
  },
  SystemError: (problem, details, { errno, syscall }) =>
    new SystemError(problem, { ...details, errno: Number(errno), syscall: String(syscall) }),
  CaptureError: (problem, details, { code, offset }) =>
    new CaptureError(code as 'SLUICE_CAPTURE_FORMAT', problem, { ...details, offset: Number(offset) }),
  AddonError: (problem, details, { code }) => new AddonError(code as 'SLUICE_ADDON_MISSING', problem, details),
  LifecycleError: (problem, details, { code, errors }) =>
    new LifecycleError(code as 'SLUICE_LIFECYCLE_START', problem, {
      ...details,
      errors: Array.isArray(errors) ? errors.map(each => errorFrom(each)) : [],
    }),
  MessageError: (problem, details) => new MessageError(problem, details),
  PlaneError: (problem, details, { code }) => new PlaneError(code as 'SLUICE_PLANE_REFUSED', problem, details),
  ApiError: (problem, details, { code }) => new ApiError(code as 'SLUICE_API_INTERNAL', problem, details),
};

/** The error that was serialized: the same class, the same fields. An error of no class of ours becomes an ApiError. */
export function errorFrom(told: SerializedError): SluiceError {
  const { name, code, message, problem, place, remedy, cause, value } = told;
  const maker = code in errorCodes && Object.hasOwn(makers, name) ? makers[name] : undefined;
  const details: ErrorDetails = {
    place: place as Place | undefined,
    remedy: remedy as string | undefined,
    value: typeof value === 'string' ? unquoted(value) : undefined,
    cause: typeof cause === 'object' && cause !== null ? errorFrom(cause as SerializedError) : undefined,
  };
  const error = maker?.(problem, details, told) ?? new ApiError('SLUICE_API_INTERNAL', problem, details);
  // Some classes make their problem and message longer from other fields, which has been done already.
  return Object.assign(error, { problem, message });
}

/** The value that was quoted, where the whole of it is there. */
function unquoted(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
