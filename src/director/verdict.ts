// SPDX-License-Identifier: Apache-2.0
// What became of a frame, or would: a native director's decision with names for its numbers.
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

/** A frame that a timer has sent (the SYN proxy's, to a real server that does not answer). */
export interface TimedFrame extends TransmittedFrame {
  /** Nanoseconds. */
  readonly time: bigint;
}

/** What became of a frame. */
export interface PacketVerdict {
  readonly verdict: Verdict;
  /** From the table of reasons, e.g. "no-real-server"; `meaning` says it in words. */
  readonly reason: string;
  readonly meaning: string;
  /** The virtual service that it belongs to, e.g. "tcp 10.0.1.100:80". */
  readonly service?: string;
  /** The real server, e.g. "10.0.2.11:8080". */
  readonly server?: string;
  readonly mode?: string;
  /** In the order of their transmission. */
  readonly out: readonly TransmittedFrame[];
  /** What timers sent before the frame was taken, if they did. */
  readonly timers?: readonly TimedFrame[];
  /** The steps of the decision in words, if asked for. */
  readonly steps?: readonly string[];
}

/** `ports` has the names of the ports by their numbers. */
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

/** All reasons that a verdict can have, with what they mean. */
export function reasons(): readonly ReasonRow[] {
  return loadAddon().reasons;
}
