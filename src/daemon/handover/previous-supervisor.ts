// SPDX-License-Identifier: Apache-2.0
// The supervisor that runs, as the next one sees it.
import { Socket } from 'node:net';
import { longestRefusal } from '../messages.ts';
import { type Handover, handoverVariable, nextEnd } from './messages.ts';

export class PreviousSupervisor {
  readonly #channel: ReturnType<typeof nextEnd>;
  /** What it hands over; undefined when it is gone. */
  readonly handover: Promise<Handover | undefined>;
  /** It has ended its processes; undefined when it is gone without. */
  readonly takeOver: Promise<{ readonly reload: boolean } | undefined>;
  readonly gone: Promise<void>;

  /** undefined: this process was started by nobody who hands over. */
  static find(environment: NodeJS.ProcessEnv): PreviousSupervisor | undefined {
    const descriptor = environment[handoverVariable];
    return descriptor === undefined ? undefined : new PreviousSupervisor(new Socket({ fd: Number(descriptor) }));
  }

  private constructor(socket: Socket) {
    this.#channel = nextEnd(socket);
    this.gone = new Promise(resolve => socket.once('close', () => resolve()));
    let [handover, takeOver] = [(_: Handover): void => undefined, (_: { reload: boolean }): void => undefined];
    const given = new Promise<Handover>(resolve => {
      handover = resolve;
    });
    const asked = new Promise<{ reload: boolean }>(resolve => {
      takeOver = resolve;
    });
    this.handover = Promise.race([given, this.gone.then(() => undefined)]);
    this.takeOver = Promise.race([asked, this.gone.then(() => undefined)]);
    this.#channel.listen({ handover, takeOver }, error =>
      this.refuse(error instanceof Error ? error.message : String(error)),
    );
  }

  prepared(): void {
    this.#channel.send('prepared', {});
  }

  /** This process ends, and the other goes on. */
  refuse(message: string): void {
    this.#channel.send('refused', { message: message.slice(0, longestRefusal) });
  }

  works(): void {
    this.#channel.send('works', {});
  }
}
