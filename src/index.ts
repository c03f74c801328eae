// SPDX-License-Identifier: Apache-2.0
/**
 * The access tier of an internet service, as a library.
 *
 * @packageDocumentation
 */
export { type Clock, sleep, systemClock, type Timer, VirtualClock } from './core/clock.ts';
export { ConfigErrors } from './core/config/problems.ts';
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
export { Director, type DirectorConfig, type Services } from './daemon/director.ts';
export {
  type Connection,
  type FrameOptions,
  type PacketVerdict,
  reasons,
  type TransmittedFrame,
  type Verdict,
} from './director/forwarding-core.ts';
export {
  type ConnectionRow,
  type Counters,
  formatConnections,
  formatServices,
  type ServerView,
  type ServiceView,
} from './director/ipvsadm/listing.ts';
export type { RouteTableDocument } from './director/route-table.ts';
export type { ReasonRow } from './native/director.ts';
export { describeFrame } from './wire/describe.ts';
