// SPDX-License-Identifier: Apache-2.0
// The content of a secret, in the process that needs it. Printed, logged or made JSON of by mistake, it shows nothing.
import { inspect } from 'node:util';

const shown = '[secret]';

export class SecretContent {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** As UTF-8, without the end of the line that editors add. */
  get text(): string {
    return Buffer.from(this.#bytes)
      .toString('utf8')
      .replace(/\r?\n$/, '');
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
