// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Dialog, mostReceivedBytes, type Step, type Verdict } from '../../src/health/dialog.ts';
import { type DialogProbe, dialogOf } from '../../src/health/dialogs/dialog-of.ts';
import { decodeAnswer } from '../../src/health/dialogs/dns-message.ts';
import { decodeResponse } from '../../src/health/probes/grpc-messages.ts';
import { dnsProbe, httpProbe, smtpProbe, target, tlsOf } from '../unit/health/checks.ts';

vi.setConfig({ testTimeout: 60_000 });

const probes: readonly (readonly [string, DialogProbe, readonly string[]])[] = [
  ['http', httpProbe(), ['HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 \n', 'A: b\r\n', '\r\n', '\n']],
  [
    'http with conditions',
    httpProbe({ contains: 'a', matches: 'b|c', digest: 'd41d8cd98f00b204e9800998ecf8427e' }),
    [
      'HTTP/1.1 200 OK\r\n',
      'Content-Length: 3\r\n',
      'Transfer-Encoding: chunked\r\n',
      '\r\n',
      'a\r\n',
      '0\r\n',
      ' x\r\n',
    ],
  ],
  ['udp', { type: 'udp', send: '', expect: '0x' }, ['\0']],
  ['dns', dnsProbe(), ['\xc0\x0c']],
  ['dns over tcp', dnsProbe({ transport: 'tcp' }), ['\0\0', '\0\x01', '\xff\xff']],
  ['smtp', smtpProbe(), ['220 a\r\n', '250-b\r\n', '250 c\r\n', '500 d\n']],
  ['smtp with STARTTLS', smtpProbe({ startTls: true, tls: tlsOf() }), ['220 a\r\n', '250-b\r\n', '250 STARTTLS\r\n']],
  ['redis', { type: 'redis' }, ['+PONG\r\n', '-ERR\n']],
  ['mysql', { type: 'mysql' }, ['\x01\0\0\0', '\x0a', '\xff\0', '\x03\0\0\x01\x0aa\0', '\x01\0\0\0\xfe']],
  ['postgresql', { type: 'postgresql' }, ['E\0\0\0\x06', 'M', '\0']],
];

/** Bytes at random, mixed with pieces that the protocol has. */
const answerOf = (tokens: readonly string[]) =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(...tokens).map(token => Buffer.from(token, 'latin1')),
        fc.uint8Array({ maxLength: 40 }),
      ),
      { maxLength: 20 },
    )
    .map(pieces => Buffer.concat(pieces));

function feed(dialog: Dialog, pieces: readonly Uint8Array[]): readonly Verdict[] {
  let step: Step = dialog.begin();
  for (const piece of pieces) {
    if (step.verdict !== undefined || step.startTls) break;
    step = dialog.received(piece);
  }
  return step.verdict === undefined ? [dialog.timedOut(), dialog.closed()] : [step.verdict];
}

describe.each(probes)('%s', (_, probe, tokens) => {
  it('has a verdict in words whatever a target sends, and wherever it is cut', () => {
    fc.assert(
      fc.property(answerOf(tokens), fc.nat(400), (answer, at) => {
        const verdicts = feed(dialogOf(probe, target()), [answer]);
        for (const { detail } of verdicts) expect(detail).toMatch(/^\P{C}+$/u);
        // A datagram comes whole, and bytes in the clear after a reply to STARTTLS are refused only together with it.
        const comesWhole =
          probe.type === 'udp' ||
          (probe.type === 'dns' && probe.transport === 'udp') ||
          (probe.type === 'smtp' && probe.startTls);
        // The id of a query is random.
        if (comesWhole || probe.type === 'dns') return;
        expect(feed(dialogOf(probe, target()), [answer.subarray(0, at), answer.subarray(at)])).toEqual(verdicts);
      }),
    );
  });

  it('takes a bounded amount, in bounded time', () => {
    for (const token of [...tokens, '\0', 'a', '\n']) {
      const flood = Buffer.alloc(65_536, token, 'latin1');
      const dialog = dialogOf(probe, target());
      let step = dialog.begin();
      for (
        let sent = 0;
        sent <= 2 * mostReceivedBytes && step.verdict === undefined && !step.startTls;
        sent += flood.length
      ) {
        step = dialog.received(flood);
      }
      expect(dialog.timedOut().detail).not.toBe('');
    }
  });
});

it('a message of DNS of any bytes is decoded without a throw', () => {
  const question = { id: 0x4142, name: 'example.org', type: 'TXT' } as const;
  const start = Buffer.from('41428180000100050000000007' + '6578616d706c65036f72670000100001', 'hex');
  const record = Buffer.from('c00c0010000100000000', 'hex');
  const pieces = fc.array(fc.oneof(fc.constant(record), fc.uint8Array({ maxLength: 12 })), { maxLength: 12 });
  fc.assert(
    fc.property(pieces, fc.boolean(), (tail, isTruncated) => {
      const message = Buffer.concat([start, ...tail]);
      if (isTruncated) message[2] = 0x83;
      const answer = decodeAnswer(message, question);
      expect(['object', 'string']).toContain(typeof answer);
    }),
  );
});

it('a message of gRPC of any bytes is decoded without a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), message => {
      const frame = Buffer.concat([Buffer.of(0, 0, 0, 0, message.length), message]);
      expect(['number', 'string']).toContain(typeof decodeResponse(frame));
      expect(['number', 'string']).toContain(typeof decodeResponse(Buffer.from(message)));
    }),
  );
});
