// SPDX-License-Identifier: Apache-2.0
// A query of DNS and its answer, in a datagram or in a stream, where each message has its length in front (RFC 1035,
// section 4.2). An answer to another query is ignored: it may be late, or forged. A truncated answer is an answer, as long
// as nothing is sought in it.
import { randomInt } from 'node:crypto';
import { parseAddress } from '../../core/address.ts';
import { closedEarly, type Dialog, fails, passes, type Verdict } from '../dialog.ts';
import { type DnsQueryType, dnsResponseCodes, type ProbeOf } from '../model.ts';
import { type Answer, decodeAnswer, encodeQuery, type Question, sameName } from './dns-message.ts';
import { Incoming } from './incoming.ts';
import { shown } from './shown.ts';

type DnsProbe = ProbeOf<'dns'>;

/** The response codes of RFC 1035 are 0 to 5, in this order. */
const codeName = (code: number): string => dnsResponseCodes[code] ?? `response code ${code}`;

const wordsOf = (value: string): string[] => value.split(/\s+/);

function isExpected(value: string, expected: string, type: DnsQueryType): boolean {
  if (type === 'TXT') return value === expected;
  if (type === 'AAAA') {
    const words = parseAddress(expected)?.words ?? [];
    return value === words.map(word => word.toString(16).padStart(8, '0')).join('');
  }
  const [found, wanted] = [wordsOf(value), wordsOf(expected)];
  return found.length === wanted.length && found.every((word, at) => sameName(word, wanted[at] ?? ''));
}

function judge(probe: DnsProbe, answer: Answer): Verdict {
  const count = `${answer.records} ${answer.records === 1 ? 'answer' : 'answers'}`;
  const found = `${codeName(answer.code)}, ${count}${answer.isTruncated ? ', truncated' : ''}`;
  if (!probe.codes.some(code => code === dnsResponseCodes[answer.code])) return fails(found);
  const { expect } = probe;
  if (expect === null) return passes(found);
  if (answer.values.some(texts => texts.some(text => isExpected(text, expect, probe.query)))) return passes(found);
  const remedy = answer.isTruncated ? ': ask by TCP (transport: tcp)' : '';
  return fails(`${found}, but "${shown(expect)}" is not among them${remedy}`);
}

export function dnsDialog(probe: DnsProbe): Dialog {
  const question: Question = { id: randomInt(0x10000), name: probe.name, type: probe.query };
  const isStream = probe.transport === 'tcp';
  const incoming = new Incoming();
  let ignored = 0;

  const missing = (): string => {
    if (incoming.available > 0) return 'the answer was not complete';
    return ignored === 0 ? 'no answer' : `no answer to this query (${ignored} to other ones)`;
  };

  const verdictOf = (message: Buffer): Verdict | undefined => {
    const answer = decodeAnswer(message, question);
    if (answer === undefined) {
      ignored += 1;
      return undefined;
    }
    return typeof answer === 'string' ? fails(answer) : judge(probe, answer);
  };

  /** The next message of the stream; undefined while it is not complete. */
  const nextMessage = (): Buffer | undefined => {
    const prefix = incoming.peek(2);
    if (prefix.length < 2 || incoming.available < 2 + prefix.readUInt16BE(0)) return undefined;
    return incoming.take(2 + prefix.readUInt16BE(0)).subarray(2);
  };

  const streamVerdict = (): Verdict | undefined => {
    for (let message = nextMessage(); message !== undefined; message = nextMessage()) {
      const verdict = verdictOf(message);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  };

  return {
    begin() {
      const query = encodeQuery(question);
      if (query === undefined) return { verdict: fails(`"${shown(probe.name)}" is not a domain name`) };
      return { send: isStream ? Buffer.concat([Buffer.of(query.length >> 8, query.length & 0xff), query]) : query };
    },
    received(bytes) {
      if (isStream) incoming.add(bytes);
      const verdict = isStream ? streamVerdict() : verdictOf(Buffer.from(bytes));
      if (verdict !== undefined) return { verdict };
      return incoming.isOver ? { verdict: fails(missing()) } : {};
    },
    closed: () => closedEarly(missing()),
    timedOut: () => fails(missing()),
  };
}
