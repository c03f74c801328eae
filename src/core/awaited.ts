// SPDX-License-Identifier: Apache-2.0

/** Something that changes now and then, and those who wait for it to change. */
export class Awaited {
  readonly #waiting = new Set<() => void>();

  /** Resolves when this is so, or the signal is aborted. It is looked at once at the beginning and after each `changed`. */
  async until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isSo() && !signal.aborted) {
      await new Promise<void>(resolve => {
        const end = (): void => {
          signal.removeEventListener('abort', end);
          this.#waiting.delete(end);
          resolve();
        };
        this.#waiting.add(end);
        signal.addEventListener('abort', end);
      });
    }
  }

  changed(): void {
    for (const end of [...this.#waiting]) end();
  }
}
