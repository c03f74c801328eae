// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../src/core/clock.ts';
import type { Probe } from '../../../../src/health/model.ts';
import type { ProbeResult } from '../../../../src/health/probe.ts';
import { createExchanges } from '../../../../src/health/probes/exchange.ts';
import type { ExchangeEvent, ExchangeRequest, NativeProber } from '../../../../src/native/prober.ts';
import { checkOf, dnsProbe, httpProbe, smtpProbe, target } from '../checks.ts';

/** A prober that does nothing, and keeps what it was told. Ids are 1, 2, … */
function harness() {
  const clock = new VirtualClock();
  const batches: (readonly ExchangeRequest[])[] = [];
  const sent: [number, string][] = [];
  const ended: number[] = [];
  let isClosed = false;
  let tell: (events: readonly ExchangeEvent[]) => void = () => {};
  let next = 1;
  const prober: NativeProber = {
    start(requests) {
      batches.push(requests);
      return requests.map(() => next++);
    },
    send: (id, bytes) => sent.push([id, Buffer.from(bytes).toString()]),
    end: id => ended.push(id),
    close: () => {
      isClosed = true;
    },
  };
  const exchanges = createExchanges(onEvents => {
    tell = onEvents;
    return prober;
  }, clock);
  const results: (ProbeResult & { probe: string })[] = [];
  const start = (probe: Probe, timeout = 1) =>
    exchanges.start(checkOf(probe, { timeout }), target(80), result => results.push({ ...result, probe: probe.type }));
  return {
    clock,
    batches,
    sent,
    ended,
    exchanges,
    results,
    start,
    tell: (...events: ExchangeEvent[]) => tell(events),
    closed: () => isClosed,
  };
}

const turn = () => new Promise(resolve => setImmediate(resolve));
const data = (id: number, text: string): ExchangeEvent => ({ id, kind: 'data', data: Buffer.from(text) });

it('starts all probes of one turn by one call, each with its first bytes', async () => {
  const { batches, start, results } = harness();
  for (const probe of [
    { type: 'tcp' },
    { type: 'ping' },
    { type: 'redis' },
    { type: 'mysql' },
    { type: 'udp', send: '00', expect: null },
  ] as const)
    start(probe);
  expect(batches).toEqual([]);
  await turn();
  const common = { address: '127.0.0.1', port: 80, timeoutMilliseconds: 1000 };
  expect(batches).toEqual([
    [
      { ...common, protocol: 'tcp', connectOnly: true },
      { ...common, protocol: 'ping', port: 0 },
      { ...common, protocol: 'tcp', send: Buffer.from('*1\r\n$4\r\nPING\r\n') },
      { ...common, protocol: 'tcp' },
      { ...common, protocol: 'udp', send: Buffer.of(0) },
    ],
  ]);
  expect(results).toEqual([]);
});

it('moves bytes between targets and their dialogs, and ends what is done', async () => {
  const { clock, start, tell, sent, ended, results } = harness();
  start({ type: 'tcp' });
  start(smtpProbe());
  start({ type: 'ping' });
  start({ type: 'redis' });
  await turn();
  await clock.advance(7);
  tell({ id: 1, kind: 'connected' }, data(2, '220 a\r\n250'), data(3, ''));
  tell(data(2, ' b\r\n'), { id: 2, kind: 'closed' }, data(4, '+PO'), { id: 4, kind: 'closed' });
  expect(sent).toEqual([
    [2, 'EHLO probe.example\r\n'],
    [2, 'QUIT\r\n'],
  ]);
  expect(ended).toEqual([3, 2, 4]);
  expect(results.map(({ probe, detail, milliseconds }) => [probe, detail, milliseconds])).toEqual([
    ['tcp', 'connected', 7],
    ['ping', 'answered', 7],
    ['smtp', '220 a', 7],
    ['redis', 'the connection was closed: the answer to PING was not complete', 7],
  ]);
});

describe('the end of an exchange, in words:', () => {
  const { ECONNREFUSED, EHOSTUNREACH, ECONNRESET } = constants.errno;
  const failed = (errno: number): ExchangeEvent => ({ id: 1, kind: 'failed', errno });
  const late = (connected = false): ExchangeEvent => ({ id: 1, kind: 'timeout', connected });
  it.each<[Probe, ExchangeEvent[], string]>([
    [{ type: 'tcp' }, [failed(ECONNREFUSED)], 'no connection: connection refused'],
    [httpProbe(), [failed(EHOSTUNREACH)], 'no connection: host is unreachable'],
    [httpProbe(), [failed(ECONNRESET)], 'the connection broke: connection reset by peer'],
    [httpProbe(), [data(1, 'HTTP/1.1 '), failed(EHOSTUNREACH)], 'the connection broke: host is unreachable'],
    [dnsProbe(), [failed(ECONNREFUSED)], 'no answer: connection refused'],
    [{ type: 'ping' }, [failed(EHOSTUNREACH)], 'no answer: host is unreachable'],
    [{ type: 'ping' }, [late()], 'no answer within 1 s'],
    [{ type: 'tcp' }, [late()], 'no connection within 1 s'],
    [httpProbe(), [late(false)], 'no connection within 1 s'],
    [httpProbe(), [late(true)], 'connected, but no HTTP response within 1 s'],
    [httpProbe(), [data(1, 'HTTP/1.1 '), late(true)], 'the head of the HTTP response was not complete within 1 s'],
    [{ type: 'mysql' }, [late(true)], 'connected, but no handshake within 1 s'],
    [dnsProbe(), [late()], 'no answer within 1 s'],
    [{ type: 'udp', send: '', expect: null }, [late()], 'no error within 1 s'],
    [httpProbe(), [{ id: 1, kind: 'closed' }], 'the connection was closed: no HTTP response'],
  ])('%j', async (probe, events, detail) => {
    const { start, tell, results } = harness();
    start(probe);
    await turn();
    tell(...events);
    expect(results.map(result => result.detail)).toEqual([detail]);
    expect(results[0]?.passed).toBe(detail === 'no error within 1 s');
  });
});

it('can be cancelled before it starts, while it runs, and after its end', async () => {
  const { start, tell, batches, ended, results } = harness();
  const early = start({ type: 'redis' });
  const running = start({ type: 'redis' });
  const done = start({ type: 'redis' });
  early.cancel();
  await turn();
  expect(batches.map(batch => batch.length)).toEqual([2]);
  tell(data(2, '+PONG\r\n'));
  running.cancel();
  running.cancel();
  done.cancel();
  tell(data(1, '+PONG\r\n'), { id: 1, kind: 'timeout', connected: false });
  expect(ended).toEqual([2, 1]);
  expect(results).toHaveLength(1);
});

it('cancels all when it is closed', async () => {
  const { start, exchanges, ended, closed, results } = harness();
  start({ type: 'redis' });
  await turn();
  start({ type: 'redis' });
  exchanges.close();
  await turn();
  expect([ended, closed(), results]).toEqual([[1], true, []]);
});

it('fails at once where there is nothing to ask', async () => {
  const { start, batches, results } = harness();
  start(dnsProbe({ name: 'a..b' }));
  await turn();
  expect([batches, results[0]?.detail]).toEqual([[], '"a..b" is not a domain name']);
});
