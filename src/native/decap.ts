// SPDX-License-Identifier: Apache-2.0
// The native module's receiving end of tunnels; src/decap/agent.ts is what the rest of Sluice uses.
import type { NativeFailure } from './live-director.ts';

export interface NativeDecapOptions {
  /** The TUN device to make. */
  readonly device: string;
  /** The device that tunnelled packets arrive on; any where empty. */
  readonly interface: string;
  /** Given to the TUN device; with any, inner packets for others are dropped. */
  readonly addresses: readonly string[];
  readonly ipip: boolean;
  readonly gre: boolean;
  /** 0: no GUE. */
  readonly guePort: number;
}

export interface NativeDecapState {
  /** Packets by reason (native/decap/reasons.def), names with dashes. */
  readonly counts: Readonly<Record<string, number>>;
  /** Datagrams that found no room in a socket: the agent was too slow. */
  readonly overflows: number;
  /** The TUN device was removed or set down. */
  readonly isDeviceLost: boolean;
}

export interface NativeDecap {
  /** From now on packets are delivered. */
  open(): NativeFailure | undefined;
  state(): NativeDecapState;
  close(): void;
}

export interface DecapAddon {
  readonly Decap: new (options: NativeDecapOptions) => NativeDecap;
}
