// SPDX-License-Identifier: Apache-2.0
// The bytes of a stream that have come and are not consumed yet. Of all that a target sends, only the first
// `mostReceivedBytes` are taken, wherever the pieces end.
import { mostReceivedBytes } from '../dialog.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export class Incoming {
  #bytes = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** No line feed is between #start and here. */
  #searched = 0;
  #total = 0;
  #isOver = false;

  add(bytes: Uint8Array): void {
    const taken = bytes.subarray(0, mostReceivedBytes - this.#total);
    if (taken.length < bytes.length) this.#isOver = true;
    this.#total += taken.length;
    if (this.#end + taken.length > this.#bytes.length) this.#grow(taken.length);
    this.#bytes.set(taken, this.#end);
    this.#end += taken.length;
  }

  // The space doubles, so that a stream of single bytes is not copied once for each of them.
  #grow(more: number): void {
    const grown = Buffer.alloc(Math.max(512, 2 * (this.available + more)));
    this.#bytes.copy(grown, 0, this.#start, this.#end);
    this.#searched -= this.#start;
    this.#end -= this.#start;
    this.#start = 0;
    this.#bytes = grown;
  }

  get available(): number {
    return this.#end - this.#start;
  }

  /** All bytes that were taken since the beginning. */
  get total(): number {
    return this.#total;
  }

  /** Whether more came than is taken. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The bytes that are there, up to this number, without consuming them. Valid until more are added. */
  peek(most: number): Buffer {
    return this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + most));
  }

  /** Consumes what is there, up to this number of bytes. */
  take(most: number): Buffer {
    const taken = Buffer.from(this.peek(most));
    this.#start += taken.length;
    this.#searched = Math.max(this.#searched, this.#start);
    return taken;
  }

  /** Consumes a line, and gives it without its end, which is CR LF or LF. Undefined while the line has no end. */
  line(): string | undefined {
    const at = this.#bytes.subarray(0, this.#end).indexOf(lineFeed, this.#searched);
    if (at === -1) {
      this.#searched = this.#end;
      return undefined;
    }
    const end = at > this.#start && this.#bytes[at - 1] === carriageReturn ? at - 1 : at;
    const line = this.#bytes.toString('latin1', this.#start, end);
    this.#start = at + 1;
    this.#searched = this.#start;
    return line;
  }
}

/** The detail about a target that sends more than is taken. */
export const tooMuch = `the target sent more than ${mostReceivedBytes >> 10} KiB`;
