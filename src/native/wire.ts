// SPDX-License-Identifier: Apache-2.0
// The native module's part that renders packets; src/wire/describe.ts is what the rest of Sluice uses.

export interface WireAddon {
  /** A TypeError for anything but bytes. */
  readonly describe: (frame: Uint8Array) => string;
}
