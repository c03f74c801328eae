// SPDX-License-Identifier: Apache-2.0
// One side of a conversation with a target, without any I/O: bytes go in, and bytes to send or a verdict come out. The
// same dialog is held over TCP, over TLS and in tests.

export interface Verdict {
  readonly passed: boolean;
  readonly detail: string;
  readonly weight?: number;
  /** This host lacked something, such as descriptors: nothing is known of the target. */
  readonly isOpen?: true;
}

export interface Step {
  /** To be sent now. */
  readonly send?: Uint8Array;
  /** TLS begins after what was sent, and the dialog goes on inside of it: `begin` is called again once TLS stands. */
  readonly startTls?: true;
  /** The end of the dialog. */
  readonly verdict?: Verdict;
}

export interface Dialog {
  /** The first step, once the connection stands; at a datagram socket, the first datagram. */
  begin(): Step;
  /** A stream may give bytes in pieces of any size; a datagram comes whole. */
  received(bytes: Uint8Array): Step;
  /** The target has closed its side. */
  closed(): Verdict;
  /** The time of the check has passed. Whoever asks adds to the detail how much time that was: `within 1 s`. */
  timedOut(): Verdict;
}

/** A target may not send more than this. */
export const mostReceivedBytes = 256 << 10;

export const passes = (detail: string): Verdict => ({ passed: true, detail });
export const fails = (detail: string): Verdict => ({ passed: false, detail });

/** This host could not try. */
export const untried = (detail: string): Verdict => ({ passed: false, detail, isOpen: true });

/** `missing` says what has not come: `no greeting`. */
export const closedEarly = (missing: string): Verdict => fails(`the connection was closed: ${missing}`);
