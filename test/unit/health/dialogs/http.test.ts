// SPDX-License-Identifier: Apache-2.0
// Expectations come from RFC 9110 and RFC 9112; digests from md5sum(1) and sha256sum(1).
import { describe, expect, it } from 'vitest';
import { mostReceivedBytes } from '../../../../src/health/dialog.ts';
import { httpDialog } from '../../../../src/health/dialogs/http.ts';
import type { ProbeOf } from '../../../../src/health/model.ts';
import { httpProbe } from '../checks.ts';
import { failed, hold, holdCut, passed } from './hold.ts';

const to = { address: '192.0.2.1', port: 8080 };
const request = (settings: Partial<ProbeOf<'http'>>, target = to): string =>
  Buffer.from(httpDialog(httpProbe(settings), target).begin().send ?? []).toString();
const answered = (settings: Partial<ProbeOf<'http'>>, answer: string) =>
  holdCut(() => httpDialog(httpProbe(settings), to), answer).verdict;

describe('the request', () => {
  it('has the target as its host, and asks for a plain answer and the end of the connection', () => {
    expect(request({ path: '/healthz' }).split('\r\n')).toEqual([
      'GET /healthz HTTP/1.1',
      'Host: 192.0.2.1:8080',
      'Connection: close',
      'Accept-Encoding: identity',
      'User-Agent: sluice',
      '',
      '',
    ]);
  });

  it('writes an IPv6 address in brackets', () => {
    expect(request({}, { address: '2001:db8::1', port: 80 })).toContain('\r\nHost: [2001:db8::1]:80\r\n');
  });

  it('has each header once: one that a person gives replaces its own', () => {
    const sent = request({
      host: 'shop.example',
      headers: [
        ['user-agent', 'probe'],
        ['X-Check', '1'],
      ],
    });
    expect(sent.match(/user-agent/gi)).toHaveLength(1);
    expect(sent).toContain('\r\nHost: shop.example\r\n');
    expect(sent).toContain('\r\nX-Check: 1\r\n');
  });

  it('says that a POST has no body (RFC 9110, section 8.6)', () => {
    expect(request({ method: 'POST' })).toContain('\r\nContent-Length: 0\r\n');
  });
});

describe('the head', () => {
  it.each([
    ['with a reason', 'HTTP/1.1 200 OK\r\n\r\n', passed('HTTP 200 OK')],
    ['without a reason', 'HTTP/1.1 204 \r\n\r\n', passed('HTTP 204')],
    ['without the blank before the reason', 'HTTP/1.1 204\r\n\r\n', passed('HTTP 204')],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nServer: old\r\n\r\n', passed('HTTP 200 OK')],
    ['whose lines end with LF alone', 'HTTP/1.1 200 OK\nServer: x\n\n', passed('HTTP 200 OK')],
    ['with a folded header', 'HTTP/1.1 200 OK\r\nX-Long: a\r\n\t b\r\n\r\n', passed('HTTP 200 OK')],
    [
      'with a status that was not wanted',
      'HTTP/1.1 503 Service Unavailable\r\n\r\n',
      failed('HTTP 503 Service Unavailable'),
    ],
    ['after 1xx', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', passed('HTTP 200 OK')],
    ['that is 101, which is final', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', failed('HTTP 101 Switching Protocols')],
    ['of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', failed('not HTTP/1: the answer begins with "SSH-2.0-"')],
    ['of HTTP/2', '\0\0\x12\x04\0\0\0\0\0', failed('not HTTP/1: the answer begins with "........"')],
    ['that is an alert of TLS', '\x15\x03\x01\0\x02\x02\x16\0', failed('the target speaks TLS, not plain HTTP')],
    ['with a malformed status', 'HTTP/1.1 20 OK\r\n\r\n', failed('malformed status line: "HTTP/1.1 20 OK"')],
    ['with a header without a colon', 'HTTP/1.1 200 OK\r\nServer\r\n\r\n', failed('malformed header: "Server"')],
    ['with control characters in the reason', 'HTTP/1.1 500 \x1b[31mred\r\n\r\n', failed('HTTP 500 .[31mred')],
    [
      'that ends early',
      'HTTP/1.1 200 OK\r\nSer',
      failed('the connection was closed: the head of the HTTP response was not complete'),
    ],
    ['that does not come', '', failed('the connection was closed: no HTTP response')],
  ])('%s', (_, answer, verdict) => {
    expect(answered({}, answer)).toEqual(verdict);
  });

  it('is all that is awaited, unless the body matters', () => {
    expect(
      hold(httpDialog(httpProbe(), to), [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n')]).verdict,
    ).toEqual(passed('HTTP 200 OK'));
  });

  it('may have any of several ranges of statuses', () => {
    const status = [
      [200, 200],
      [401, 403],
    ] as const;
    expect(answered({ status }, 'HTTP/1.1 402 Payment Required\r\n\r\n').passed).toBe(true);
    expect(answered({ status }, 'HTTP/1.1 201 Created\r\n\r\n').passed).toBe(false);
  });
});

describe('the body', () => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  const shut = 'the connection was closed: the body was not complete';

  it.each([
    ['ends with the connection', `${ok}\r\nall is well`, passed('HTTP 200 OK')],
    ['ends after Content-Length', `${ok}Content-Length: 11\r\n\r\nall is well and more`, passed('HTTP 200 OK')],
    [
      'has a Content-Length twice, with one value',
      `${ok}Content-Length: 11\r\nContent-Length: 11\r\n\r\nall is well`,
      passed('HTTP 200 OK'),
    ],
    [
      'has two lengths',
      `${ok}Content-Length: 11, 12\r\n\r\nall is well`,
      failed('HTTP 200 OK, but malformed Content-Length: "11, 12"'),
    ],
    ['is shorter than its length', `${ok}Content-Length: 12\r\n\r\nall is well`, failed(`${shut} (11 bytes came)`)],
    [
      'is chunked',
      `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nall \r\n7;x=y\r\nis well\r\n0\r\nT: 1\r\n\r\n`,
      passed('HTTP 200 OK'),
    ],
    [
      'is chunked by LF, and has a length, too',
      `${ok}Content-Length: 3\nTransfer-Encoding: Chunked\n\nb\nall is well\n0\n\n`,
      passed('HTTP 200 OK'),
    ],
    ['lacks its last chunk', `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nall \r\n`, failed(`${shut} (4 bytes came)`)],
    [
      'has a chunk without a length',
      `${ok}Transfer-Encoding: chunked\r\n\r\nall\r\n`,
      failed('HTTP 200 OK, but malformed chunked body: "all" in place of a length'),
    ],
    [
      'has a chunk that is longer than it says',
      `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nall is\r\n`,
      failed('HTTP 200 OK, but malformed chunked body: "is" after a chunk'),
    ],
    [
      'has another coding',
      `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`,
      failed('HTTP 200 OK, but the body has the transfer coding "gzip, chunked", which was not asked for'),
    ],
    [
      'lacks the text',
      `${ok}Content-Length: 4\r\n\r\nwell`,
      failed('HTTP 200 OK, but the body does not contain "is well"'),
    ],
    [
      'is compressed',
      `${ok}Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b`,
      failed('HTTP 200 OK, but the body does not contain "is well" (Content-Encoding: gzip)'),
    ],
    [
      'is not there, as the status says',
      'HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\nis well',
      failed('HTTP 204 No Content, but the body does not contain "is well"'),
    ],
    [
      'does not matter after a wrong status',
      'HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n',
      failed('HTTP 404 Not Found'),
    ],
  ])('%s', (_, answer, verdict) => {
    expect(answered({ contains: 'is well' }, answer)).toEqual(verdict);
  });

  it('is not there in an answer to HEAD, whatever its length says', () => {
    const answer = `${ok}Content-Length: 7\r\n\r\n`;
    expect(answered({ method: 'HEAD', digest: 'd41d8cd98f00b204e9800998ecf8427e' }, answer)).toEqual(
      passed('HTTP 200 OK'),
    );
  });

  // printf hello | md5sum; printf hello | sha256sum
  const md5 = '5d41402abc4b2a76b9719d911017c592';
  const sha256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  it.each([md5, sha256])('has the digest %s', digest => {
    expect(answered({ digest }, `${ok}\r\nhello`)).toEqual(passed('HTTP 200 OK'));
    expect(answered({ digest }, `${ok}\r\nhallo`).detail).toMatch(
      /^HTTP 200 OK, but the digest of the body is [0-9a-f]+$/,
    );
  });

  it('matches a regular expression, in UTF-8', () => {
    const answer = Buffer.from(`${ok}\r\n{"status": "grün"}`).toString('latin1');
    expect(answered({ matches: '"status": *"gr\\p{L}n"' }, answer)).toEqual(passed('HTTP 200 OK'));
    expect(answered({ matches: '^ok$' }, answer)).toEqual(failed('HTTP 200 OK, but the body does not match ^ok$'));
  });

  it('is searched for milliseconds only, by an expression that would take hours', () => {
    const started = performance.now();
    const { verdict } = hold(httpDialog(httpProbe({ matches: '^(a+)+$' }), to), [
      Buffer.from(`${ok}\r\n${'a'.repeat(60)}!`),
    ]);
    expect(verdict.detail).toMatch(/^HTTP 200 OK, but the search for a match took more than 250 ms: /);
    // A limit for hangs: the search without a bound takes longer than any test.
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('is judged by its beginning when it is longer than what is taken, and has no digest then', () => {
    const answer = [Buffer.from(`${ok}\r\nall is well`), Buffer.alloc(mostReceivedBytes)];
    expect(hold(httpDialog(httpProbe({ contains: 'is well' }), to), answer).verdict).toEqual(passed('HTTP 200 OK'));
    expect(hold(httpDialog(httpProbe({ digest: md5 }), to), answer).verdict.detail).toContain('longer than 256 KiB');
  });
});

it('says how far an answer came in time', () => {
  const dialog = httpDialog(httpProbe({ contains: 'x' }), to);
  dialog.begin();
  expect(dialog.timedOut()).toEqual(failed('no HTTP response'));
  dialog.received(Buffer.from('HTTP/1.1 200 OK\r\n'));
  expect(dialog.timedOut()).toEqual(failed('the head of the HTTP response was not complete'));
  dialog.received(Buffer.from('\r\nabc'));
  expect(dialog.timedOut()).toEqual(failed('the body was not complete (3 bytes came)'));
});

it('ends at a head that does not end', () => {
  const { verdict } = hold(httpDialog(httpProbe(), to), [
    Buffer.from('HTTP/1.1 200 OK\r\nX: '),
    Buffer.alloc(mostReceivedBytes, 'a'),
  ]);
  expect(verdict).toEqual(failed('the target sent more than 256 KiB'));
});
