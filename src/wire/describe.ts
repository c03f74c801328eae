// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from '../native/addon.ts';

/** An Ethernet frame as one line, as `tcpdump -n -t -S` prints it. */
export function describeFrame(frame: Uint8Array): string {
  return loadAddon().describe(frame);
}
