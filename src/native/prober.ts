// SPDX-License-Identifier: Apache-2.0
// The native side of health checks: it opens many connections at once and moves their bytes. It runs in the event loop of
// the thread that made it. What the bytes mean is decided in src/health/.
import { loadAddon } from './addon.ts';

export interface ExchangeRequest {
  readonly protocol: 'tcp' | 'udp' | 'ping';
  readonly address: string;
  /** 0 for ping. */
  readonly port: number;
  readonly timeoutMilliseconds: number;
  /** Sent as soon as the connection stands, or as the datagram. A ping has bytes of its own. */
  readonly send?: Uint8Array;
  /** TCP: the exchange ends as soon as the connection stands. */
  readonly connectOnly?: boolean;
}

/** Every exchange ends with exactly one `connected` (connectOnly), `failed` or `timeout`, or with a call of `end`. */
export type ExchangeEvent =
  | { readonly id: number; readonly kind: 'connected' }
  /** At most 64 KiB. A ping has the answer's payload. */
  | { readonly id: number; readonly kind: 'data'; readonly data: Uint8Array }
  /** The other side has closed a TCP connection; what was sent to it may still be on its way. */
  | { readonly id: number; readonly kind: 'closed' }
  /** `errno` is a number of errno(3), such as ECONNREFUSED, also where an ICMP error told of it. */
  | { readonly id: number; readonly kind: 'failed'; readonly errno: number }
  | { readonly id: number; readonly kind: 'timeout' };

export interface NativeProber {
  /** Begins exchanges; each gets the id at the same place. Nothing is reported before this returns. */
  start(requests: readonly ExchangeRequest[]): number[];
  /** Sends more on a TCP connection or UDP socket. Does nothing when the exchange has ended. */
  send(id: number, bytes: Uint8Array): void;
  /** Ends an exchange and closes its socket. No event of it comes any more. */
  end(id: number): void;
  /** Ends all. */
  close(): void;
}

export interface ProberAddon {
  readonly Prober: new (onEvents: (events: readonly ExchangeEvent[]) => void) => NativeProber;
}

export function createProber(onEvents: (events: readonly ExchangeEvent[]) => void): NativeProber {
  return new (loadAddon().Prober)(onEvents);
}
