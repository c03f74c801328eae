// SPDX-License-Identifier: Apache-2.0

/** Runs asynchronous work one piece after another, in the order in which it was asked for. A piece that fails delays no other. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
