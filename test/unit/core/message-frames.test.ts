// SPDX-License-Identifier: Apache-2.0
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, FramedPort } from '../../../src/core/message-frames.ts';

const most = 1000;

function decoded(pieces: readonly Buffer[]): unknown[] {
  const decoder = new FrameDecoder(most);
  return pieces.flatMap(piece => [...decoder.push(piece)]);
}

/** With the length that it announces. */
const frame = (content: string | Buffer, length = Buffer.byteLength(content)): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, Buffer.from(content)]);
};

describe('messages on a stream', () => {
  it('come out as they went in, in whatever pieces their bytes arrive', () => {
    const messages = fc.array(fc.jsonValue({ maxDepth: 2 }).filter(value => JSON.stringify(value).length < most / 3));
    fc.assert(
      fc.property(messages, fc.array(fc.nat(20), { minLength: 1 }), (sent, sizes) => {
        const bytes = Buffer.concat(sent.map(message => encodeFrame(message, most)));
        const pieces: Buffer[] = [];
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const size = 1 + (sizes[n % sizes.length] ?? 0);
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(decoded(pieces)).toEqual(JSON.parse(JSON.stringify(sent)));
      }),
    );
  });

  it('are refused when they are too long, before their bytes have come', () => {
    expect(() => decoded([frame('', most + 1)])).toThrow('more than 1000 bytes: 1001');
    expect(() => encodeFrame('x'.repeat(most), most)).toThrow('more than 1000 bytes');
  });

  it.each([
    ['nothing', ''],
    ['a line of another protocol', '{"cmd":"NODE_HANDLE"}\n{'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('are refused when they are %s', (_, content) => {
    expect(() => decoded([frame(content)])).toThrow('no JSON');
  });

  it('that are random bytes give messages, wait for more or are refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), pieces => {
        try {
          decoded(pieces.map(piece => Buffer.from(piece)));
        } catch (error) {
          expect(error).toMatchObject({ code: 'SLUICE_MESSAGE' });
        }
      }),
    );
  });
});

describe('a port of messages', () => {
  const limits = { received: most, sent: most };
  const turn = () => new Promise(setImmediate);

  it('reads nothing more after what is no message', async () => {
    const [here, there] = duplexPair();
    const port = new FramedPort(here, limits);
    const taken: unknown[] = [];
    const errors: unknown[] = [];
    port.listen(
      message => taken.push(message),
      error => errors.push(error),
    );
    there.write(Buffer.concat([encodeFrame('one', most), frame('?'), encodeFrame('two', most)]));
    await turn();
    expect(taken).toEqual(['one']);
    expect(errors).toMatchObject([{ code: 'SLUICE_MESSAGE' }]);
    expect(here.destroyed).toBe(true);
  });

  it('reads nothing more once it is closed, even of what has come already', async () => {
    const [here, there] = duplexPair();
    const port = new FramedPort(here, limits);
    const taken: unknown[] = [];
    port.listen(
      message => {
        taken.push(message);
        port.close();
      },
      () => undefined,
    );
    there.write(Buffer.concat([encodeFrame('one', most), encodeFrame('two', most)]));
    await turn();
    expect(taken).toEqual(['one']);
  });

  it('breaks off when the other end does not read, and keeps no more than its limit', () => {
    const [here] = duplexPair({ writableHighWaterMark: 1 });
    const port = new FramedPort(here, limits);
    const errors: unknown[] = [];
    port.listen(
      () => undefined,
      error => errors.push(error),
    );
    for (let message = 0; message < 20; message++) port.send('x'.repeat(100));
    expect(errors).toMatchObject([{ message: expect.stringContaining('does not read') }]);
    expect(here.destroyed).toBe(true);
  });

  it('drops what is sent to a process that has ended', async () => {
    const [here, there] = duplexPair();
    const port = new FramedPort(here, limits);
    const closed = new Promise<void>(resolve => port.onClose(resolve));
    port.listen(
      () => undefined,
      () => undefined,
    );
    there.end();
    await closed;
    here.destroy();
    port.send('late');
  });
});
