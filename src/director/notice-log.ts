// SPDX-License-Identifier: Apache-2.0
// The notices of the director in the log: each once, when it is new. A notice that has gone and comes back is new.
import type { Logger } from '../core/logger.ts';

export class NoticeLog {
  readonly #logger: Pick<Logger, 'warn' | 'info'>;
  #logged: ReadonlySet<string> = new Set();

  constructor(logger: Pick<Logger, 'warn' | 'info'>) {
    this.#logger = logger;
  }

  /** Takes the notices of the moment. */
  write(notices: readonly string[]): void {
    const now = new Set(notices);
    for (const notice of now) if (!this.#logged.has(notice)) this.#logger.warn(notice);
    for (const notice of this.#logged) if (!now.has(notice)) this.#logger.info({ notice }, 'this is over');
    this.#logged = now;
  }
}
