// SPDX-License-Identifier: Apache-2.0
// Where a log goes when the process must go on, whatever becomes of its log: a disk may be full, the reader of a pipe may
// stand still or be gone. A line that cannot be written waits, as far as there is room; then lines are lost, and the log
// says how many as soon as it takes lines again. With a descriptor that does not block, no write stops the process.
import { writeSync } from 'node:fs';

/** Some thousands of lines. */
const mostWaiting = 1 << 20;

const retryMilliseconds = 100;

export class LogStream {
  readonly #descriptor: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #isRefused = false;
  #flushesAtExit = false;
  #timer: NodeJS.Timeout | undefined;
  /** Is told how many lines were lost, once there is room again. */
  onRoom: (lost: number) => void = () => undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > mostWaiting) {
      this.#lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#timer === undefined) this.#flush();
  }

  #flush(): void {
    this.#timer = undefined;
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const written = this.#put(first);
      if (written === undefined) {
        this.#timer = setTimeout(() => this.#flush(), retryMilliseconds).unref();
        // What waits at the end of the process gets one more chance.
        if (!this.#flushesAtExit) process.once('exit', () => this.#flush());
        this.#flushesAtExit = true;
        return;
      }
      this.#waitingBytes -= written;
      if (written < first.length) this.#waiting[0] = first.subarray(written);
      else this.#waiting.shift();
    }
    const lost = this.#lost;
    if (lost === 0 || this.#isRefused) return;
    this.#lost = 0;
    this.onRoom(lost);
  }

  /** The number of bytes written; undefined when there is no room now. */
  #put(bytes: Buffer): number | undefined {
    try {
      const written = writeSync(this.#descriptor, bytes);
      this.#isRefused = false;
      return written;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      // A full disk, a closed pipe: this line is lost.
      this.#lost++;
      this.#isRefused = true;
      return bytes.length;
    }
  }
}
