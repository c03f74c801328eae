// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from '../native/addon.ts';

/** Describes an Ethernet frame in one line, as `tcpdump -n -t -S` does. */
export function describeFrame(frame: Uint8Array): string {
  return loadAddon().describe(frame);
}
