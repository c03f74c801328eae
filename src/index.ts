// SPDX-License-Identifier: Apache-2.0
/**
 * The access tier of an internet service, as a library.
 *
 * @packageDocumentation
 */
export { type Clock, sleep, systemClock, type Timer, VirtualClock } from './core/clock.ts';
export {
  AddonError,
  CaptureError,
  ConfigError,
  type ErrorCode,
  errorCodes,
  LifecycleError,
  type Place,
  type SerializedError,
  SluiceError,
  SystemError,
  serializeError,
  UsageError,
} from './core/errors.ts';
export { version } from './core/version.ts';
