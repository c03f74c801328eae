// SPDX-License-Identifier: Apache-2.0
// What the supervisor answers to the questions of its processes (questions.ts). Any of them may be taken by an attacker:
// - Control reads the files of the command line and what a document includes (document-files.ts). Of the secrets it gets
//   those of the folder `control` below the folder of secrets, for its own work: tokens and keys of its listeners. Of the
//   others it learns whether one can be used, and says which plane is to have it.
// - A plane gets the secrets that control has said, of the folder of secrets, and nothing else.
import { constants } from 'node:os';
import { join } from 'node:path';
import { type SerializedError, SystemError, serializeError } from '../core/errors.ts';
import { OneAtATime } from '../core/one-at-a-time.ts';
import type { Answer, Question } from './messages.ts';
import { readSecret } from './secret-files.ts';
import type { SourceFiles } from './source.ts';

export interface SupervisorAnswersOptions {
  readonly files: SourceFiles;
  readonly secretsFolder: string;
}

/** The folder, below that of all secrets, of those that control may have. */
const controlSecrets = 'control';

/** As by the system, for what the process may not ask. */
const forbidden = { errno: constants.errno.EACCES, syscall: 'open' };

export class SupervisorAnswers {
  readonly #options: SupervisorAnswersOptions;
  /** By plane, the files of its secrets. What a plane has had once it may have again. */
  readonly #granted = new Map<string, Set<string>>();
  readonly #reads = new OneAtATime();

  constructor(options: SupervisorAnswersOptions) {
    this.#options = options;
  }

  /** `process`: who asks, a plane or control. Never throws. */
  async answer(
    process: string,
    isControl: boolean,
    question: Question,
  ): Promise<{ readonly answer: Answer } | { readonly error: SerializedError }> {
    try {
      // However much is asked at once, the memory of one answer is needed.
      return {
        answer: await this.#reads.run(() => (isControl ? this.#toControl(question) : this.#toPlane(process, question))),
      };
    } catch (error) {
      return { error: serializeError(error) };
    }
  }

  async #toControl(question: Question): Promise<Answer> {
    const { files } = this.#options;
    if ('read' in question) return await files.read(question.read);
    if ('match' in question) return { files: [...(await files.matches(question.match))] };
    if ('upgrade' in question) throw new SystemError('cannot read the file', forbidden);
    if ('secret' in question) {
      return { secret: await secretText(question.secret, join(this.#options.secretsFolder, controlSecrets)) };
    }
    if ('check' in question) {
      await files.checkSecret(question.check);
      return {};
    }
    const { plane, file } = question.grant;
    await files.checkSecret(file);
    const granted = this.#granted.get(plane) ?? new Set();
    this.#granted.set(plane, granted.add(file));
    return {};
  }

  async #toPlane(plane: string, question: Question): Promise<Answer> {
    if (!('secret' in question) || this.#granted.get(plane)?.has(question.secret) !== true) {
      throw new SystemError('cannot read the file', forbidden);
    }
    return { secret: await secretText(question.secret, this.#options.secretsFolder) };
  }
}

async function secretText(file: string, folder: string): Promise<string> {
  return (await readSecret(file, folder)).toString('base64');
}
