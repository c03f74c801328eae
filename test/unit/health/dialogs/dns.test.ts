// SPDX-License-Identifier: Apache-2.0
// Messages are written by hand from RFC 1035, section 4; test/process/health-probes.test.ts asks real servers.
import { describe, expect, it } from 'vitest';
import { dnsDialog } from '../../../../src/health/dialogs/dns.ts';
import { encodeName } from '../../../../src/health/dialogs/dns-message.ts';
import type { ProbeOf } from '../../../../src/health/model.ts';
import { dnsProbe } from '../checks.ts';
import { failed, passed } from './hold.ts';

/** 7 example 3 org 0 */
const name = '076578616d706c65036f726700';
const types = { A: '0001', CNAME: '0005', SOA: '0006', MX: '000f', TXT: '0010', AAAA: '001c', SRV: '0021' };
/** A pointer to the name in the question. */
const owner = 'c00c';
const record = (type: keyof typeof types, data: string, of = owner): string =>
  `${of}${types[type]}000100000e10${(data.length / 2).toString(16).padStart(4, '0')}${data}`;

interface Parts {
  readonly id?: string;
  readonly flags?: string;
  readonly question?: string;
  readonly records?: readonly string[];
}

function answerTo(
  query: Buffer,
  type: keyof typeof types,
  { id, flags = '8180', question, records = [] }: Parts,
): Buffer {
  const asked = question ?? `${name}${types[type]}0001`;
  const counts = `${asked === '' ? '0000' : '0001'}${records.length.toString(16).padStart(4, '0')}00000000`;
  return Buffer.from(`${id ?? query.toString('hex', 0, 2)}${flags}${counts}${asked}${records.join('')}`, 'hex');
}

function judged(settings: Partial<ProbeOf<'dns'>>, parts: Parts) {
  const probe = dnsProbe(settings);
  const dialog = dnsDialog(probe);
  const query = Buffer.from(dialog.begin().send ?? []);
  return dialog.received(answerTo(query, probe.query as keyof typeof types, parts)).verdict;
}

describe('the query', () => {
  it('is one question, with recursion asked for', () => {
    const query = Buffer.from(dnsDialog(dnsProbe()).begin().send ?? []);
    expect(query.toString('hex', 2)).toBe(`01000001000000000000${name}00010001`);
  });

  it('has its length in front in a stream', () => {
    const query = Buffer.from(dnsDialog(dnsProbe({ transport: 'tcp', name: '.', query: 'SOA' })).begin().send ?? []);
    expect(query.toString('hex', 0, 2)).toBe('0011');
    expect(query.toString('hex', 4)).toBe('01000001000000000000' + '0000060001');
  });

  it.each(['a..b', `${'a'.repeat(64)}.org`, 'a b', `${'a.'.repeat(128)}`, 'ä.example'])(
    'fails without a domain name: %s',
    text => {
      expect(dnsDialog(dnsProbe({ name: text })).begin().verdict?.passed).toBe(false);
    },
  );

  it('may have a name of 255 bytes, but no longer one', () => {
    const labels = (last: number) => [63, 63, 63, last].map(length => 'a'.repeat(length)).join('.');
    expect(encodeName(labels(61))).toHaveLength(255);
    expect(encodeName(labels(62))).toBeUndefined();
  });
});

describe('the answer', () => {
  it.each([
    ['without records', {}, {}, passed('NOERROR, 0 answers')],
    ['with records', {}, { records: [record('A', 'c0000201')] }, passed('NOERROR, 1 answer')],
    ['with another code', {}, { flags: '8183' }, failed('NXDOMAIN, 0 answers')],
    ['with a code that passes', { codes: ['NXDOMAIN'] }, { flags: '8183' }, passed('NXDOMAIN, 0 answers')],
    ['that leaves the question out, as it refuses', {}, { flags: '8105', question: '' }, failed('REFUSED, 0 answers')],
    ['with a code of later standards', {}, { flags: '8189' }, failed('response code 9, 0 answers')],
    ['that is truncated', {}, { flags: '8380' }, passed('NOERROR, 0 answers, truncated')],
    [
      'whose question is in capitals',
      {},
      { question: '074558414d504c45036f72670000010001' },
      passed('NOERROR, 0 answers'),
    ],
    ['that is the query', {}, { flags: '0100' }, failed('the target sent the query back')],
    [
      'whose name points to itself',
      {},
      { records: [record('A', 'c0000201', 'c01d')] },
      failed('malformed answer: a name points forward'),
    ],
    [
      'that ends early',
      {},
      { records: [record('A', 'c0000201').slice(0, -2)] },
      failed('malformed answer: it ends too early'),
    ],
    [
      'with an address of five bytes',
      {},
      { records: [record('A', 'c000020101')] },
      failed('malformed answer: a record of type A has a wrong length'),
    ],
  ] as const)('%s', (_, settings, parts, verdict) => {
    expect(judged(settings, parts)).toEqual(verdict);
  });

  it.each([
    ['with another id', { id: 'other' }],
    ['to another name', { question: '03777777076578616d706c65036f72670000010001' }],
    ['to another type', { question: `${name}001c0001` }],
  ])('%s is ignored', (_, parts) => {
    const dialog = dnsDialog(dnsProbe());
    const query = Buffer.from(dialog.begin().send ?? []);
    const id = (query.readUInt16BE(0) ^ 1).toString(16).padStart(4, '0');
    expect(dialog.received(answerTo(query, 'A', 'id' in parts ? { id } : parts))).toEqual({});
    expect(dialog.timedOut()).toEqual(failed('no answer to this query (1 to other ones)'));
    expect(dialog.received(answerTo(query, 'A', {})).verdict).toEqual(passed('NOERROR, 0 answers'));
  });
});

describe('an expected value', () => {
  // www 4 and the name after a pointer: the exchange of an MX record.
  const mail = `046d61696c${owner}`;
  it.each([
    ['A', '192.0.2.1', 'c0000201'],
    ['AAAA', '2001:DB8:0::1', '20010db8000000000000000000000001'],
    ['CNAME', 'Mail.Example.org', mail],
    ['MX', '10 mail.example.org.', `000a${mail}`],
    ['MX', 'mail.example.org', `000a${mail}`],
    ['SRV', '1 2 443 mail.example.org', `0001000201bb${mail}`],
    ['TXT', 'v=spf1 -all', '07763d73706631200' + '42d616c6c'],
    ['SOA', '7', `${mail}${owner}0000000700000e10000003840009 3a8000000e10`.replaceAll(' ', '')],
    [
      'SOA',
      'mail.example.org. example.org. 7 3600 900 604800 3600',
      `${mail}${owner}0000000700000e100000038400093a8000000e10`,
    ],
  ] as const)('of type %s: %s', (query, expected, data) => {
    const records = [record('CNAME', owner), record(query, data)];
    expect(judged({ query, expect: expected }, { records })).toEqual(passed('NOERROR, 2 answers'));
    expect(judged({ query, expect: 'other.example' }, { records })?.passed).toBe(false);
  });

  it('that is missing in a truncated answer leads to TCP', () => {
    expect(judged({ expect: '192.0.2.1' }, { flags: '8380' })).toEqual(
      failed('NOERROR, 0 answers, truncated, but "192.0.2.1" is not among them: ask by TCP (transport: tcp)'),
    );
  });
});

it('comes over TCP in pieces of any size', () => {
  for (const size of [1, 2, 3, 5, 1000]) {
    const dialog = dnsDialog(dnsProbe({ transport: 'tcp', expect: '192.0.2.1' }));
    const query = Buffer.from(dialog.begin().send ?? []).subarray(2);
    const message = answerTo(query, 'A', { records: [record('A', 'c0000201')] });
    const late = answerTo(query, 'A', { question: `${name}001c0001` });
    const framed = [late, message].flatMap(one => [Buffer.of(one.length >> 8, one.length), one]);
    const bytes = Buffer.concat(framed);
    let verdict: unknown;
    for (let at = 0; at < bytes.length; at += size) verdict = dialog.received(bytes.subarray(at, at + size)).verdict;
    expect(verdict).toEqual(passed('NOERROR, 1 answer'));
  }
});
