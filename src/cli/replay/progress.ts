// SPDX-License-Identifier: Apache-2.0
// Shows the progress of a long replay in one line of the terminal. Does nothing if standard error is no terminal.

/** Time between two updates of the line. */
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
