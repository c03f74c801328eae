// SPDX-License-Identifier: Apache-2.0
// How far a long replay is, in a line of the terminal that the next one replaces. Nothing where no terminal is attached
// to standard error.

/** Often enough to be seen moving. */
const millisecondsBetween = 250;

const eraseLine = '\r\x1b[2K';

export class Progress {
  readonly #started = performance.now();
  #shown = 0;

  show(frames: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - Math.max(this.#shown, this.#started) < millisecondsBetween) return;
    const rate = Math.round((frames / (now - this.#started)) * 1000);
    process.stderr.write(`${eraseLine}${frames} frames, ${rate} a second`);
    this.#shown = now;
  }

  clear(): void {
    if (this.#shown > 0) process.stderr.write(eraseLine);
  }
}
