// SPDX-License-Identifier: Apache-2.0
// Requests that no client library sends, as bytes. After each of them the server answers the next one.
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../../lab/topology/until.ts';
import { ApiClient } from '../../../../src/core/api/client.ts';
import { answerIn, count, echo, exchange, get, post, RawClient, type Served, serve } from './served.ts';

const limits = {
  headBytes: 4096,
  bodyBytes: 10_000,
  headMilliseconds: 1500,
  requestMilliseconds: 3000,
  idleMilliseconds: 1500,
};

describe('whatever a client sends', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve({ limits });
  });
  afterAll(() => served.stop());
  afterEach(async () => {
    expect(await new ApiClient(served.path).call(echo, { text: 'next' })).toEqual({ taken: { text: 'next' } });
  });

  const host = 'host: sluice\r\n';
  const chunked = `POST /plane/change HTTP/1.1\r\n${host}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;

  it.each<[string, string | Buffer, number, RegExp?]>([
    ['a target of two slashes', get('//'), 404, /there is no such question: "\/\/"/],
    ['a target of many slashes', get('///plane///echo'), 404],
    ['an absolute-form target', get('http://sluice/plane/echo?number=1'), 200],
    ['an absolute-form target without a path', get('http://[::1'), 404],
    ['an absolute-form target of nonsense', get('http://%%%:99999999/x'), 404],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\n\r\n', 404],
    ['an authority', 'CONNECT sluice:80 HTTP/1.1\r\n\r\n', 405, /CONNECT is not answered/],
    ['another method', 'DELETE /plane/echo HTTP/1.1\r\n\r\n', 405, /use GET/],
    ['a method that HTTP does not know', 'FETCH /plane/echo HTTP/1.1\r\n\r\n', 400, /no request of HTTP/],
    ['bad percent-encoding of a value', get('/plane/echo?text=%zz'), 400, /percent-encoded UTF-8.*text=%zz/],
    ['percent-encoding that is cut', get('/plane/echo?text=%4'), 400, /percent-encoded/],
    ['percent-encoding that is no UTF-8', get('/plane/echo?text=%ff%fe'), 400, /percent-encoded/],
    ['bad percent-encoding of a name', get('/plane/echo?%zz=1'), 400, /percent-encoded/],
    ['bad percent-encoding of the path', get('/plane/%zz'), 404],
    ['a fragment', get('/plane/echo?number=1#there'), 200],
    ['a parameter twice', get('/plane/echo?number=1&number=2'), 400, /parameter number: the parameter stands twice/],
    ['a number that is none', get('/plane/echo?number=two'), 400, /parameter number: number must be a whole number/],
    ['a number out of range', get('/plane/echo?number=11'), 400, /use 0 to 10/],
    ['a boolean that is none', get('/plane/echo?exact=yes'), 400, /parameter exact: exact must be true or false/],
    ['an unknown parameter', get('/plane/echo?nomber=1'), 400, /no such parameter: "nomber" \(did you mean number/],
    ['__proto__ as a parameter', get('/plane/echo?__proto__=1'), 400, /no such parameter: "__proto__"/],
    ['constructor as a parameter', get('/plane/echo?constructor=1'), 400, /no such parameter: "constructor"/],
    ['__proto__ in JSON', post('/plane/change', '{"__proto__":{"name":"x"}}'), 400, /no such parameter: "__proto__"/],
    [
      '__proto__ deep in JSON',
      post('/plane/change', '{"name":"x","deep":{"list":[1],"__proto__":2}}'),
      400,
      /parameter deep: deep has no such key: "__proto__"/,
    ],
    ['a body that is no JSON', post('/plane/change', '{"name":'), 400, /the body is not JSON/],
    ['a body that is a list', post('/plane/change', '[1]'), 400, /the body is no JSON object/],
    ['JSON that is nested without end', post('/plane/change', '['.repeat(4000)), 400, /not JSON|nested/],
    ['JSON that is nested too deep', post('/plane/change', '['.repeat(999) + ']'.repeat(999)), 400, /nested deeper/],
    ['a wrong type in JSON', post('/plane/change', '{"name":"x","size":"1"}'), 400, /parameter size: size must be/],
    [
      'no needed parameter',
      post('/plane/change', '{}'),
      400,
      /parameter name: the parameter is missing \(give name: of/,
    ],
    ['no body', 'POST /plane/change HTTP/1.1\r\n\r\n', 400, /parameter is missing/],
    ['a form', post('/plane/change', 'name=x&size=3', 'application/x-www-form-urlencoded; charset=utf-8'), 200],
    ['a body of another type', post('/plane/change', '<a/>', 'text/xml'), 415, /use application\/json/],
    ['a body of no type', 'POST /plane/change HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}', 415],
    [
      'a compressed body',
      'POST /plane/change HTTP/1.1\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}',
      415,
      /send it as it is/,
    ],
    ['parameters of a POST in the query', post('/plane/change?name=x', ''), 400, /stand in its body/],
    ['a body that announces too much', 'POST /plane/change HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n', 413],
    ['a body that is too long', chunked + `2000\r\n${'x'.repeat(0x2000)}\r\n`.repeat(2), 413, /at most 10000 bytes/],
    ['two lengths', 'POST /x HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 400],
    ['a length that is none', 'POST /x HTTP/1.1\r\ncontent-length: -1\r\n\r\n', 400],
    ['a length and chunks', `${chunked.slice(0, -2)}content-length: 3\r\n\r\nabc`, 400],
    ['a chunk of no length', `${chunked}zz\r\nabc`, 400],
    [
      'huge fields',
      `GET /plane/echo HTTP/1.1\r\nx: ${'y'.repeat(5000)}\r\n\r\n`,
      431,
      /head of the request is too long/,
    ],
    ['a huge target', get(`/plane/echo?text=${'y'.repeat(5000)}`), 431],
    ['a field without a name', 'GET /plane/echo HTTP/1.1\r\n: x\r\n\r\n', 400],
    ['a space in a field name', 'GET /plane/echo HTTP/1.1\r\na b: x\r\n\r\n', 400],
    ['an expectation', 'GET /plane/echo HTTP/1.1\r\nexpect: wonders\r\n\r\n', 417],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a handshake of TLS', Buffer.from('16030100a5010000a1030352', 'hex'), 400],
    ['binary garbage', Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919) % 256)), 400],
    ['zeros', Buffer.alloc(1000), 400],
    ['another version', 'GET /plane/echo HTTP/1.1\r\nsluice-version: 9\r\n\r\n', 400, /another version of sluice: "9"/],
    ['an answer that is none of its schema', get('/plane/fail?how=wrong'), 500, /does not fit its schema/],
    ['a handler that gives nothing', get('/plane/fail?how=nothing'), 500],
    [
      'a handler with a mistake',
      get('/plane/fail?how=mistake'),
      500,
      /a mistake in sluice: undefined is not a function/,
    ],
    ['a handler with a later mistake', get('/plane/fail?how=late'), 500, /a mistake in sluice: later/],
  ])('%s is answered', async (_, bytes, status, message = /./) => {
    const answer = answerIn(await exchange(served.path, bytes));
    expect(answer.status).toBe(status);
    if (status >= 400 && status !== 417) {
      expect(answer.body).toMatchObject({
        error: { code: expect.any(String), message: expect.stringMatching(message) },
      });
    }
  });

  it('a HEAD is answered by a head', async () => {
    expect(await exchange(served.path, 'HEAD /plane/echo HTTP/1.1\r\n\r\n')).toMatch(
      /^HTTP\/1.1 405 .*\r\n(.*\r\n)*allow: GET/i,
    );
  });

  it('an upgrade that nobody offers is answered as a request', async () => {
    const upgrade = 'GET /plane/echo HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    expect(answerIn(await exchange(served.path, upgrade)).status).toBe(200);
  });

  it('a request in single bytes is one request', async () => {
    const bytes = [...get('/plane/echo?number=7')];
    expect(answerIn(await exchange(served.path, ...bytes)).body).toEqual({ taken: { number: 7 } });
  });

  it('a head that comes too slowly is refused', async () => {
    const client = new RawClient(served.path).send('GET /plane/echo HT');
    expect(answerIn(await client.closed())).toMatchObject({
      status: 408,
      body: { error: { problem: 'the request did not come in time' } },
    });
  });

  it('a body that comes too slowly is refused', async () => {
    const client = new RawClient(served.path).send('POST /plane/change HTTP/1.1\r\ncontent-length: 9\r\n\r\n{');
    expect(answerIn(await client.closed()).status).toBe(408);
  });

  it('a body that breaks off is refused', async () => {
    const received = await exchange(served.path, 'POST /plane/change HTTP/1.1\r\ncontent-length: 9\r\n\r\n{');
    expect(answerIn(received).status).toBe(400);
  });

  it('a connection that sends nothing is closed in the end', async () => {
    await new RawClient(served.path).closed();
  });

  it('several requests at once are answered in their order', async () => {
    const received = await exchange(
      served.path,
      get('/plane/echo?number=1'),
      post('/plane/change', '{"name":"second"}'),
      get('//'),
      get('/plane/count?to=2'),
      get('/plane/echo?number=5'),
    );
    const found = [...received.matchAll(/"number":\d|second|"there is no such question(?=")|"n":\d/g)].map(
      ([text]) => text,
    );
    expect(found).toEqual(['"number":1', 'second', '"there is no such question', '"n":1', '"n":2', '"number":5']);
  });

  it('garbage behind a request is refused after the answer', async () => {
    const received = await exchange(served.path, get('/plane/count?to=100'), '\0\0\0 garbage\r\n\r\n');
    const [answer = '', refusal = ''] = received.split(/(?=HTTP\/1\.1 400)/);
    expect(answer.match(/"n":/g)?.length).toBe(100);
    expect(refusal).toContain('no request of HTTP');
  });

  it('a client that goes away in the middle of an answer ends it', async () => {
    const client = new RawClient(served.path).send(get('/plane/count?to=10000000'));
    await client.has('"n":3');
    client.socket.destroy();
    await until('no more numbers are made', 10_000, async () => {
      const before = served.record.counted;
      await new Promise(resolve => setImmediate(resolve));
      return served.record.counted === before;
    });
    expect(served.record.counted).toBeLessThan(1_000_000);
  });

  it('a client that does not read is not written to without end', async () => {
    const before = served.record.counted;
    const client = new RawClient(served.path).send(get('/plane/count?to=10000000'));
    client.socket.pause();
    await until('the stream stands still', 10_000, async () => {
      const seen = served.record.counted;
      await new ApiClient(served.path).call(echo, {});
      return seen > before && served.record.counted === seen;
    });
    // A kilobyte each: what the kernel and the server hold for one connection.
    expect(served.record.counted - before).toBeLessThan(5000);
    client.socket.destroy();
  });

  it('a stream that fails says so in its last line', async () => {
    const received = await exchange(served.path, get('/plane/count?to=9&failsAt=3'));
    // Lengths of chunks stand on lines of their own.
    const lines = received.split(/\r?\n/).filter(line => line.startsWith('{'));
    expect(lines.map(line => Object.keys(JSON.parse(line))[0])).toEqual(['n', 'n', 'error']);
    expect(JSON.parse(lines[2] ?? '')).toMatchObject({ error: { code: 'SLUICE_HOST', remedy: 'empty it' } });
    expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(received.endsWith('0\r\n\r\n')).toBe(true);
  });

  it('a thousand idle connections do not delay answers, and are closed in the end', async () => {
    const idle = Array.from({ length: 1000 }, () => new RawClient(served.path));
    await until('all are connected', 20_000, () => idle.every(({ socket }) => !socket.connecting));
    const rows = [];
    for await (const row of new ApiClient(served.path).stream(count, { to: 10 })) rows.push(row.n);
    expect(rows).toHaveLength(10);
    await until('all are closed', 20_000, () => idle.every(({ isClosed }) => isClosed));
  });

  it('random bytes end nothing', { timeout: 120_000 }, async () => {
    // Most random requests are never complete: the server ends them when their time is over.
    const hasty = await serve({ limits: { ...limits, headMilliseconds: 200, requestMilliseconds: 400 } });
    const piece = fc.oneof(
      { weight: 4, arbitrary: fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)) },
      ...['GET ', 'POST ', '/plane/echo', '/plane/change', '//', '?number=', '&', '%', ' HTTP/1.1', '\r\n', '\r\n\r\n']
        .concat(
          'content-length: ',
          'transfer-encoding: chunked\r\n',
          'content-type: application/json\r\n',
          '5\r\n',
          '{"name":"x"}',
        )
        .map(text => fc.constant(Buffer.from(text))),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 20 }), async pieces => {
        const received = await exchange(hasty.path, Buffer.concat(pieces));
        // Blank lines before a request are no request (RFC 9112 2.2).
        if (!/^[\r\n]*$/.test(Buffer.concat(pieces).toString('latin1'))) expect(received).toMatch(/^HTTP\/1\.1 \d{3} /);
      }),
      { seed: 9, numRuns: 500 },
    );
    expect(hasty.logged).toEqual([]);
    await hasty.stop();
  });
});
