// SPDX-License-Identifier: Apache-2.0
// What a process asks the supervisor, which alone has root's powers; supervisor-answers.ts answers.
import { errorFrom } from '../core/api/refusal.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import type { SecretFile } from '../core/config/secret.ts';
import { UnavailableError } from '../core/errors.ts';
import type { Fields } from '../core/messages.ts';
import { SecretContent } from '../core/secret-content.ts';
import type { Answer, ChildEnd, Question, toChild } from './messages.ts';

/** A file system of another host may not answer. */
const answerMilliseconds = 30_000;
/** The supervisor itself gives the next one less. */
const upgradeMilliseconds = 330_000;

type Arrived = Fields<typeof toChild, 'answer'>;

export class Questions {
  readonly #channel: Pick<ChildEnd, 'send'>;
  readonly #clock: Clock;
  readonly #open = new Map<number, (answer: Arrived) => void>();
  #requests = 0;

  constructor(channel: Pick<ChildEnd, 'send'>, clock: Clock = systemClock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** About a file. Throws what the supervisor has thrown. `file` is for the error when no answer comes. */
  ask(question: Question, file: string): Promise<Answer> {
    return this.#ask(question, answerMilliseconds, tooSlow(file));
  }

  /** Has the supervisor start the next one, and hand over to it. The number of that process. */
  async upgrade(build: string): Promise<number> {
    const { next = 0 } = await this.#ask({ upgrade: { build } }, upgradeMilliseconds, noUpgrade());
    return next;
  }

  async #ask(question: Question, milliseconds: number, late: UnavailableError): Promise<Answer> {
    const request = ++this.#requests;
    let timer: { cancel(): void } | undefined;
    const answer = new Promise<Arrived>((resolve, reject) => {
      this.#open.set(request, resolve);
      timer = this.#clock.after(milliseconds, () => reject(late));
    });
    this.#channel.send('ask', { request, question });
    try {
      const { error, answer: given = {} } = await answer;
      if (error !== undefined) throw errorFrom(error);
      return given;
    } finally {
      timer?.cancel();
      this.#open.delete(request);
    }
  }

  /** The content of a secret that the process may have. */
  async secret({ file }: SecretFile): Promise<SecretContent> {
    const { secret = '' } = await this.ask({ secret: file }, file);
    return new SecretContent(Buffer.from(secret, 'base64'));
  }

  arrived(answer: Arrived): void {
    this.#open.get(answer.request)?.(answer);
  }
}

function tooSlow(file: string): UnavailableError {
  return new UnavailableError(`the file could not be read within ${answerMilliseconds / 1000} s`, {
    place: { file },
    remedy: 'look at the file system that the file is on',
  });
}

function noUpgrade(): UnavailableError {
  return new UnavailableError('the supervisor does not answer', { remedy: 'look at its log' });
}
