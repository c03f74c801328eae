// SPDX-License-Identifier: Apache-2.0
// Messages of DNS (RFC 1035, section 4), as far as a check needs them: one question, and the answers to it as texts.
import type { DnsQueryType } from '../model.ts';

/** RFC 1035, section 3.2.2; AAAA: RFC 3596; SRV: RFC 2782. */
const typeNumbers: Readonly<Record<DnsQueryType, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};
const classInternet = 1;
const headerLength = 12;
const longestLabel = 63;
const longestName = 255;
/** The longest name has this many labels. */
const mostPointers = 127;

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: DnsQueryType;
}

export interface Answer {
  readonly code: number;
  readonly isTruncated: boolean;
  /** How many records the answer section has. */
  readonly records: number;
  /** Of each record of the type that was asked for: the texts under which a person may know its value. */
  readonly values: readonly (readonly string[])[];
}

/** A name as labels with their lengths; undefined when the text is no name. A dot at the end makes no difference. */
export function encodeName(text: string): Buffer | undefined {
  const labels = text === '.' || text === '' ? [] : text.replace(/\.$/, '').split('.');
  const pieces = labels.map(label => Buffer.from(label, 'latin1'));
  const areLabels = labels.every(label => /^[!-~]+$/.test(label) && label.length <= longestLabel);
  const name = Buffer.concat([...pieces.flatMap(piece => [Buffer.of(piece.length), piece]), Buffer.of(0)]);
  return areLabels && name.length <= longestName ? name : undefined;
}

/** The query, which asks for recursion; undefined when the name is none. */
export function encodeQuery({ id, name, type }: Question): Buffer | undefined {
  const labels = encodeName(name);
  if (labels === undefined) return undefined;
  const message = Buffer.alloc(headerLength + labels.length + 4);
  message.writeUInt16BE(id, 0);
  message.writeUInt16BE(0x0100, 2);
  message.writeUInt16BE(1, 4);
  labels.copy(message, headerLength);
  message.writeUInt16BE(typeNumbers[type], headerLength + labels.length);
  message.writeUInt16BE(classInternet, headerLength + labels.length + 2);
  return message;
}

/** A message ended too early, or a name in it has no end. */
class Malformed extends Error {}

/** The answer to the question; undefined when the message belongs to another one; a problem in words. */
export function decodeAnswer(message: Buffer, question: Question): Answer | string | undefined {
  if (message.length < 2 || message.readUInt16BE(0) !== question.id) return undefined;
  try {
    return decode(message, question);
  } catch (error) {
    if (error instanceof Malformed) return `malformed answer: ${error.message}`;
    throw error;
  }
}

function decode(message: Buffer, question: Question): Answer | string | undefined {
  const reader = new Reader(message, 2);
  const flags = reader.word();
  if ((flags & 0x8000) === 0) return 'the target sent the query back';
  const code = flags & 0xf;
  const isTruncated = (flags & 0x0200) !== 0;
  const questions = reader.word();
  const records = reader.word();
  reader.skip(4);
  // A server that refuses a query, or cannot read it, may leave the question out.
  if (questions === 0 && code !== 0) return { code, isTruncated, records: 0, values: [] };
  if (questions !== 1) return `malformed answer: ${questions} questions`;
  const isSame = sameName(reader.name(), question.name);
  if (reader.word() !== typeNumbers[question.type] || reader.word() !== classInternet || !isSame) return undefined;
  const values: string[][] = [];
  for (let record = 0; record < records; record++) {
    // A truncated message may end anywhere.
    if (isTruncated && reader.isAtEnd) break;
    const value = reader.record(question.type);
    if (value !== undefined) values.push(value);
  }
  return { code, isTruncated, records, values };
}

const withoutDot = (name: string): string => name.replace(/\.$/, '').toLowerCase();

export function sameName(one: string, other: string): boolean {
  return withoutDot(one) === withoutDot(other);
}

/** Reads forward in a message, and throws Malformed at its end. */
class Reader {
  readonly #message: Buffer;
  #at: number;

  constructor(message: Buffer, at: number) {
    this.#message = message;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#message.length;
  }

  skip(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#message.length) throw new Malformed('it ends too early');
    this.#at += bytes;
    return at;
  }

  byte(): number {
    return this.#message.readUInt8(this.skip(1));
  }

  word(): number {
    return this.#message.readUInt16BE(this.skip(2));
  }

  long(): number {
    return this.#message.readUInt32BE(this.skip(4));
  }

  bytes(length: number): Buffer {
    const at = this.skip(length);
    return this.#message.subarray(at, at + length);
  }

  /** A name with a dot at its end. Each pointer (section 4.1.4) leads to before the place where the name's last part began. */
  name(): string {
    let text = '';
    let reader: Reader = this;
    let partStart = this.#at;
    let pointers = 0;
    for (let total = 1; ; ) {
      const length = reader.byte();
      if (length === 0) return text === '' ? '.' : text;
      if ((length & 0xc0) === 0xc0) {
        const target = ((length & 0x3f) << 8) | reader.byte();
        if (target >= partStart) throw new Malformed('a name points forward');
        pointers += 1;
        if (pointers > mostPointers) throw new Malformed('a name has too many pointers');
        partStart = target;
        reader = new Reader(this.#message, target);
        continue;
      }
      if (length > longestLabel) throw new Malformed('a label has an unknown form');
      total += 1 + length;
      if (total > longestName) throw new Malformed('a name is too long');
      text += `${reader.bytes(length).toString('latin1')}.`;
    }
  }

  /** The values of a record of this type; undefined for a record of another one. */
  record(type: DnsQueryType): string[] | undefined {
    this.name();
    const found = this.word();
    const dnsClass = this.word();
    this.skip(4);
    const length = this.word();
    const start = this.skip(length);
    if (found !== typeNumbers[type] || dnsClass !== classInternet) return undefined;
    const data = new Reader(this.#message.subarray(0, start + length), start);
    const value = data.value(type);
    if (!data.isAtEnd) throw new Malformed(`a record of type ${type} has a wrong length`);
    return value;
  }

  value(type: DnsQueryType): string[] {
    switch (type) {
      case 'A':
        return [this.bytes(4).join('.')];
      case 'AAAA':
        return [this.bytes(16).toString('hex')];
      case 'NS':
      case 'CNAME':
      case 'PTR':
        return [this.name()];
      case 'MX': {
        const preference = this.word();
        const exchange = this.name();
        return [exchange, `${preference} ${exchange}`];
      }
      case 'SRV': {
        const numbers = [this.word(), this.word(), this.word()];
        const target = this.name();
        return [target, [...numbers, target].join(' ')];
      }
      case 'SOA': {
        const names = [this.name(), this.name()];
        const numbers = [this.long(), this.long(), this.long(), this.long(), this.long()];
        return [names[0] ?? '', String(numbers[0]), [...names, ...numbers].join(' ')];
      }
      case 'TXT': {
        let text = '';
        while (!this.isAtEnd) text += this.bytes(this.byte()).toString('utf8');
        return [text];
      }
    }
  }
}
