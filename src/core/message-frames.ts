// SPDX-License-Identifier: Apache-2.0
// Messages on a stream of bytes: a length of four bytes, the highest first, then so many bytes of JSON in UTF-8.
//
//   00 00 00 12  {"kind":"ready"…}  00 00 00 0f  {"kind":"alive"…}
//
// Whoever writes to the other end may be taken by an attacker. So nothing that comes can end the process that reads:
// a frame that is longer than it may be is refused before its bytes are waited for, and what is no JSON is an error. After
// the first error nobody knows where the next frame begins, so that nothing more is read. What waits to be written is
// limited too: the other end may never read.
import type { Duplex } from 'node:stream';
import { MessageError } from './errors.ts';
import type { MessagePort } from './messages.ts';

const lengthBytes = 4;

/** Limits in bytes. */
export interface FrameLimits {
  readonly received: number;
  /** Of one frame, and of all that wait to be written. */
  readonly sent: number;
}

export function encodeFrame(message: unknown, mostBytes: number): Buffer {
  const text = JSON.stringify(message);
  const size = Buffer.byteLength(text);
  if (size > mostBytes) throw tooLong(size, mostBytes);
  const frame = Buffer.allocUnsafe(lengthBytes + size);
  frame.writeUInt32BE(size);
  frame.write(text, lengthBytes);
  return frame;
}

/** Puts messages together from pieces of any size. */
export class FrameDecoder {
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #size = 0;
  /** Of the frame that is being read, once it is known. */
  #length: number | undefined;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** The messages that are complete with this piece. Throws a MessageError for what is no frame. */
  *push(piece: Buffer): Generator<unknown> {
    this.#pieces.push(piece);
    this.#size += piece.length;
    for (;;) {
      if (this.#length === undefined) {
        if (this.#size < lengthBytes) return;
        this.#length = this.#take(lengthBytes).readUInt32BE();
        if (this.#length > this.#mostBytes) throw tooLong(this.#length, this.#mostBytes);
      }
      if (this.#size < this.#length) return;
      const content = this.#take(this.#length);
      this.#length = undefined;
      yield parse(content);
    }
  }

  #take(count: number): Buffer {
    const [first] = this.#pieces;
    const all = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#pieces = [all.subarray(count)];
    this.#size -= count;
    return all.subarray(0, count);
  }
}

/** An end of a stream as a port of messages. */
export class FramedPort implements MessagePort {
  readonly #stream: Duplex;
  readonly #limits: FrameLimits;
  #broken: (error: unknown) => void = () => undefined;

  constructor(stream: Duplex, limits: FrameLimits) {
    this.#stream = stream;
    this.#limits = limits;
    // The other process has ended, which its exit or the end of the stream says.
    stream.on('error', () => undefined);
  }

  /** Nothing that was sent waits to be read by the other end. */
  get isDrained(): boolean {
    return this.#stream.writableLength === 0;
  }

  send(message: unknown): void {
    const frame = encodeFrame(message, this.#limits.sent);
    if (!this.#stream.writable) return;
    if (this.#stream.writableLength + frame.length > this.#limits.sent + lengthBytes) {
      this.#break(new MessageError('the other process does not read what it is told'));
    } else {
      this.#stream.write(frame);
    }
  }

  listen(take: (message: unknown) => void, broken: (error: unknown) => void): void {
    this.#broken = broken;
    const decoder = new FrameDecoder(this.#limits.received);
    this.#stream.on('data', (piece: Buffer) => {
      try {
        for (const message of decoder.push(piece)) {
          take(message);
          if (this.#stream.destroyed) return;
        }
      } catch (error) {
        if (!(error instanceof MessageError)) throw error;
        this.#break(error);
      }
    });
  }

  /** Calls the listener when the other end is closed. */
  onClose(listener: () => void): void {
    this.#stream.once('end', listener).once('close', listener);
  }

  /** Nothing is read or sent any more. */
  close(): void {
    this.#stream.destroy();
  }

  #break(error: MessageError): void {
    this.close();
    this.#broken(error);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parse(content: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(content));
  } catch (cause) {
    throw new MessageError('what came between processes is no JSON', { cause });
  }
}

function tooLong(size: number, mostBytes: number): MessageError {
  return new MessageError(`a message between processes has more than ${mostBytes} bytes`, { value: size });
}
