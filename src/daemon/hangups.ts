// SPDX-License-Identifier: Apache-2.0

/** SIGHUP may come at any time after the start. Until the processes can be told, it is kept. */
export class Hangups {
  #isKept = false;
  #reload: (() => void) | undefined;
  readonly #listener = (): void => {
    if (this.#reload === undefined) this.#isKept = true;
    else this.#reload();
  };

  constructor() {
    process.on('SIGHUP', this.#listener);
  }

  /** Calls `reload` for each SIGHUP from now on, and at once when one was kept. */
  passTo(reload: () => void): void {
    this.#reload = reload;
    if (this.#isKept) reload();
  }

  stop(): void {
    process.off('SIGHUP', this.#listener);
  }
}
