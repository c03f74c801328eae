// SPDX-License-Identifier: Apache-2.0
// A verdict: the decision of a native director about a frame, with names instead of numbers.
import { loadAddon } from '../native/addon.ts';
import type { NativeDecision, ReasonRow } from '../native/director.ts';

export type Verdict = ReasonRow['verdict'];

/** In the place of a port's name: the frame is for the host's own stack (a real server that is the host itself). */
export const hostPort = 'host';

export interface TransmittedFrame {
  /** The port's name, or `host`. */
  readonly port: string;
  readonly frame: Uint8Array;
}

/** A frame that a timer has sent, such as the SYN that the SYN proxy repeats when a real server does not answer. */
export interface TimedFrame extends TransmittedFrame {
  /** Nanoseconds. */
  readonly time: bigint;
}

/** What happened to a frame, and why. */
export interface PacketVerdict {
  readonly verdict: Verdict;
  /** A name in the table of reasons, such as "no-real-server". `meaning` explains it in words. */
  readonly reason: string;
  readonly meaning: string;
  /** The virtual service of the frame, such as "tcp 10.0.1.100:80". */
  readonly service?: string;
  /** The real server, such as "10.0.2.11:8080". */
  readonly server?: string;
  readonly mode?: string;
  /** The frames to transmit, in their order. */
  readonly out: readonly TransmittedFrame[];
  /** The frames that timers have sent before the frame was taken; left out when there are none. */
  readonly timers?: readonly TimedFrame[];
  /** The steps of the decision in words; left out unless they were asked for. */
  readonly steps?: readonly string[];
}

/** `ports` are the names of the ports, by their numbers. */
export function verdictOf(
  decision: NativeDecision,
  reasons: readonly ReasonRow[],
  ports: readonly string[],
): PacketVerdict {
  const row = reasons[decision.reason];
  if (row === undefined) throw new RangeError(`the native module has no reason ${decision.reason}`);
  const { service, server, mode, steps } = decision;
  return {
    verdict: row.verdict,
    reason: row.name,
    meaning: row.meaning,
    ...(service === undefined ? {} : { service }),
    ...(server === undefined ? {} : { server }),
    ...(mode === undefined ? {} : { mode }),
    out: decision.out.map(sent => ({ port: ports[sent.port] ?? hostPort, frame: sent.frame })),
    ...(steps === undefined ? {} : { steps }),
  };
}

/** All reasons that a verdict can have, with their meanings. */
export function reasons(): readonly ReasonRow[] {
  return loadAddon().reasons;
}
