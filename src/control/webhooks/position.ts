// SPDX-License-Identifier: Apache-2.0
// The number up to which a receiver has taken events, in a file of the folder of the history. A disk that refuses stops
// no delivery: after a restart events are sent again then.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import { Value } from 'typebox/value';
import type { Logger } from '../../core/logger.ts';

const positionSchema = Type.Object({ number: Type.Integer({ minimum: 0 }) });

export class Position {
  readonly #file: string;
  readonly #logger: Logger;

  constructor(folder: string, name: string, logger: Logger) {
    this.#file = join(folder, `webhook-${name}.json`);
    this.#logger = logger;
  }

  /** Undefined where there is none, or none that can be read. */
  async read(): Promise<number | undefined> {
    try {
      const position: unknown = JSON.parse(await readFile(this.#file, 'utf8'));
      return Value.Check(positionSchema, position) ? position.number : undefined;
    } catch (err) {
      const isNew = err instanceof Error && 'code' in err && err.code === 'ENOENT';
      if (!isNew)
        this.#logger.warn({ err }, 'which events a webhook has taken cannot be read: it gets those from now on');
      return undefined;
    }
  }

  async write(number: number): Promise<void> {
    try {
      const next = `${this.#file}.new`;
      await writeFile(next, `${JSON.stringify({ number })}\n`, { mode: 0o600 });
      await rename(next, this.#file);
    } catch (err) {
      this.#logger.warn(
        { err },
        'which events a webhook has taken cannot be written: after a restart it gets them again',
      );
    }
  }
}
