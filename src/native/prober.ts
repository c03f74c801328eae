// SPDX-License-Identifier: Apache-2.0
// The native side of health checks: it opens many connections at once and moves their bytes. It runs in the event loop of
// the thread that made it, and keeps the loop alive only while exchanges run. What the bytes mean is decided in
// src/health/.
import { loadAddon } from './addon.ts';

export interface ExchangeRequest {
  readonly protocol: 'tcp' | 'udp' | 'ping';
  /** IPv4, or IPv6 with a zone if need be: `fe80::1%eth0`. */
  readonly address: string;
  /** 0 for ping. */
  readonly port: number;
  readonly timeoutMilliseconds: number;
  /** Sent as soon as the connection stands, or as the datagram. A ping has bytes of its own. */
  readonly send?: Uint8Array | undefined;
  /** TCP: the exchange ends as soon as the connection stands. */
  readonly connectOnly?: boolean | undefined;
  /** The address that is sent from. The kernel chooses unless given. */
  readonly source?: string | undefined;
  /** Packets leave through this device only (SO_BINDTODEVICE). */
  readonly device?: string | undefined;
  /** For rules of routing (SO_MARK; needs CAP_NET_ADMIN or, from Linux 5.17, CAP_NET_RAW). */
  readonly mark?: number | undefined;
  /**
   * With connectOnly: the connection to the service at `address` and `port` is opened at this real server, as the packets
   * of the service travel to it. Needs CAP_NET_RAW.
   */
  readonly way?: NativeWay | undefined;
}

export interface NativeWay {
  readonly server: string;
  readonly wrapping: 'none' | 'ipip' | 'gre' | 'gue';
  /** The UDP port of GUE; 0 otherwise. */
  readonly port: number;
  readonly checksum: boolean;
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
  /** `connected`: the TCP connection stood. */
  | { readonly id: number; readonly kind: 'timeout'; readonly connected: boolean };

export interface NativeProber {
  /**
   * Begins exchanges; each gets the id at the same place. Nothing is reported before this returns. A request of wrong
   * types throws a TypeError, and then none of the requests is begun.
   */
  start(requests: readonly ExchangeRequest[]): number[];
  /** Sends more on a TCP connection or UDP socket. Does nothing when the exchange has ended. */
  send(id: number, bytes: Uint8Array): void;
  /**
   * Ends an exchange and closes its socket. No event of it comes any more, except those in an array that is just being
   * handled. Ids are never used again.
   */
  end(id: number): void;
  /** Ends all. */
  close(): void;
}

/** The native class. A round of events is numbers and bytes in arrays that both sides share. */
interface PackedProber {
  start(
    protocol: string,
    address: string,
    port: number,
    timeoutMilliseconds: number,
    send: Uint8Array | undefined,
    connectOnly: boolean | undefined,
    source: string | undefined,
    device: string | undefined,
    mark: number | undefined,
    wayServer: string | undefined,
    wayWrapping: string | undefined,
    wayPort: number | undefined,
    wayChecksum: boolean | undefined,
  ): number;
  send(id: number, bytes: Uint8Array): void;
  end(id: number): void;
  close(): void;
}

export interface ProberAddon {
  readonly Prober: {
    new (events: Float64Array, bytes: Uint8Array, onEvents: (count: number) => void): PackedProber;
    readonly mostEvents: number;
    readonly mostBytes: number;
  };
}

/** Numbers of an event: its id, its kind, and the number of its bytes or its errno. */
const numbersOfEvent = 3;

/** By the numbers of kinds (native/probe/exchange.h). */
const kinds = ['connected', 'data', 'closed', 'failed', 'timeout'] as const;

function unpack(numbers: Float64Array, bytes: Uint8Array, count: number): ExchangeEvent[] {
  const events: ExchangeEvent[] = [];
  let offset = 0;
  for (let at = 0; at < count * numbersOfEvent; at += numbersOfEvent) {
    const id = numbers[at] ?? 0;
    const kind = kinds[numbers[at + 1] ?? 0] ?? 'failed';
    const value = numbers[at + 2] ?? 0;
    if (kind === 'data') {
      // A copy; that of a short answer lies in Node's pool of buffers, which spares an allocation.
      events.push({ id, kind, data: Buffer.from(bytes.subarray(offset, offset + value)) });
      offset += value;
    } else if (kind === 'failed') events.push({ id, kind, errno: value });
    else if (kind === 'timeout') events.push({ id, kind, connected: value === 1 });
    else events.push({ id, kind });
  }
  return events;
}

export function createProber(onEvents: (events: readonly ExchangeEvent[]) => void): NativeProber {
  if (typeof onEvents !== 'function') throw new TypeError('a prober takes a function for its events');
  const { Prober } = loadAddon();
  const size = Prober.mostEvents * numbersOfEvent * Float64Array.BYTES_PER_ELEMENT;
  const numbers = new Float64Array(new SharedArrayBuffer(size));
  const bytes = new Uint8Array(new SharedArrayBuffer(Prober.mostBytes));
  const packed = new Prober(numbers, bytes, count => onEvents(unpack(numbers, bytes, count)));
  return {
    start(requests) {
      const ids: number[] = [];
      try {
        for (const request of requests) {
          const { protocol, address, port, timeoutMilliseconds, send, connectOnly, source, device, mark, way } =
            request;
          const options = [send, connectOnly, source, device, mark] as const;
          const travel = [way?.server, way?.wrapping, way?.port, way?.checksum] as const;
          ids.push(packed.start(protocol, address, port, timeoutMilliseconds, ...options, ...travel));
        }
      } catch (error) {
        for (const id of ids) packed.end(id);
        throw error;
      }
      return ids;
    },
    send: (id, bytes) => packed.send(id, bytes),
    end: id => packed.end(id),
    close: () => packed.close(),
  };
}
