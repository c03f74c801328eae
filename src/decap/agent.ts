// SPDX-License-Identifier: Apache-2.0
// The receiving end of the director's tunnels on a real server: a native thread takes packets out of tunnels and gives
// the inner ones to the host. Here it is started, watched and ended.
import { HostError } from '../core/errors.ts';
import type { Component } from '../core/lifecycle.ts';
import type { Logger } from '../core/logger.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeDecap, NativeDecapState } from '../native/decap.ts';

export const tunnels = ['ipip', 'gue', 'gre'] as const;
export type Tunnel = (typeof tunnels)[number];

export interface DecapOptions {
  /** The name of the TUN device. */
  readonly device: string;
  /** Where tunnelled packets arrive; on any device unless given. */
  readonly from?: string;
  /** Virtual addresses that the host is to have, and that alone are delivered to; any unless given. */
  readonly addresses: readonly string[];
  readonly tunnels: readonly Tunnel[];
  readonly guePort: number;
  readonly logger: Logger;
  /** Called once when nothing can be delivered any more. */
  readonly onLost: (error: HostError) => void;
}

/** How long a device may be gone before somebody notices. */
const watchMilliseconds = 1000;

export class DecapAgent implements Component {
  readonly name = 'tunnels';
  readonly #options: DecapOptions;
  #running: NativeDecap | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: DecapOptions) {
    this.#options = options;
  }

  start(): void {
    const { device, from = '', addresses, tunnels, guePort, logger } = this.#options;
    const native = new (loadAddon().Decap)({
      device,
      interface: from,
      addresses,
      ipip: tunnels.includes('ipip'),
      gre: tunnels.includes('gre'),
      guePort: tunnels.includes('gue') ? guePort : 0,
    });
    const failure = native.open();
    if (failure !== undefined) throw new HostError(failure.problem);
    this.#running = native;
    this.#watch = setInterval(() => this.#look(native), watchMilliseconds);
    logger.info({ device, tunnels, addresses }, 'ready');
  }

  stop(): void {
    clearInterval(this.#watch);
    if (this.#running === undefined) return;
    this.#options.logger.info({ packets: packetsOf(this.#running.state()) }, 'stopped');
    this.#running.close();
    this.#running = undefined;
  }

  #look(native: NativeDecap): void {
    if (!native.state().isDeviceLost) return;
    clearInterval(this.#watch);
    const { device, onLost } = this.#options;
    onLost(
      new HostError('the TUN device was removed or set down: nothing is delivered any more', {
        value: device,
        remedy: 'start sluice decap again',
      }),
    );
  }
}

function packetsOf({ counts, overflows }: NativeDecapState): Record<string, number> {
  const all = Object.entries({ ...counts, 'too-slow': overflows });
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}
