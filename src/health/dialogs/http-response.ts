// SPDX-License-Identifier: Apache-2.0
// Reads a response of HTTP/1 (RFC 9112), from pieces of any size.
//
// status line ─▶ header lines ─▶ empty line ─▶ body ─▶ complete
//      ▲                             │
//      └── 1xx: the next response ───┘
//
// Lenient where servers differ without harm: a line may end with LF alone, the reason may be missing, a header may be
// folded. Strict where the meaning would be a guess: the form of the status line and of headers, lengths that differ,
// chunks. The body is read only for those who want it. Lines are latin1, as they are bytes.
import { Incoming, tooMuch } from './incoming.ts';
import { shown } from './shown.ts';

export interface Head {
  readonly status: number;
  readonly reason: string;
  /** In lower case; values of a repeated header are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

const version = 'HTTP/1.';
const versionLength = 'HTTP/1.1'.length;
const statusLine = /^HTTP\/1\.\d ([1-9]\d\d)(?: (.*))?$/;
// Blanks before the colon are removed, as a client does (RFC 9112, section 5.1).
const headerLine = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*:(.*)$/;
const chunkLine = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/;

type Part =
  | 'status line'
  | 'headers'
  | 'counted'
  | 'chunk line'
  | 'chunk'
  | 'chunk end'
  | 'trailers'
  | 'rest'
  | 'complete';

export class HttpResponse {
  readonly #method: string;
  readonly #wantsBody: boolean;
  readonly #incoming = new Incoming();
  #part: Part = 'status line';
  #status = 0;
  #reason = '';
  #headers = new Map<string, string>();
  #lastHeader: string | undefined;
  #head: Head | undefined;
  #problem: string | undefined;
  /** Bytes of the body, or of its chunk, that are still to come. */
  #remaining = 0;
  readonly #body: Buffer[] = [];
  #bodyLength = 0;

  constructor(method: string, wantsBody: boolean) {
    this.#method = method;
    this.#wantsBody = wantsBody;
  }

  /** The final response's head, once it is complete. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** What is wrong with the response, in words. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get isComplete(): boolean {
    return this.#part === 'complete';
  }

  /** Whether the body is longer than what is taken of it. */
  get isCut(): boolean {
    return this.#incoming.isOver && !this.isComplete;
  }

  /** What has not come yet, in words. */
  get missing(): string {
    if (this.#incoming.total === 0) return 'no HTTP response';
    if (this.#head === undefined) return 'the head of the HTTP response was not complete';
    return `the body was not complete (${this.#bodyLength} bytes came)`;
  }

  /** As far as it has come, with its transfer coding undone. */
  body(): Buffer {
    return Buffer.concat(this.#body);
  }

  add(bytes: Uint8Array): void {
    if (this.#problem !== undefined || this.isComplete) return;
    this.#incoming.add(bytes);
    while (this.#problem === undefined && !this.isComplete && this.#read());
    if (this.#head === undefined && this.#incoming.isOver) this.#problem ??= tooMuch;
  }

  /** The target has closed its side. Returns whether the response is complete by that. */
  close(): boolean {
    if (this.#part === 'status line') this.#refuseOthers(true);
    if (this.#part === 'rest') this.#part = 'complete';
    return this.isComplete;
  }

  /** Reads one piece. Returns false when more bytes are needed. */
  #read(): boolean {
    switch (this.#part) {
      case 'counted':
        return this.#readBody('complete');
      case 'chunk':
        return this.#readBody('chunk end');
      case 'rest':
        this.#remaining = Number.POSITIVE_INFINITY;
        return this.#readBody('rest');
      case 'status line':
        return !this.#refuseOthers(false) && this.#readLine();
      default:
        return this.#readLine();
    }
  }

  #readBody(next: Part): boolean {
    const piece = this.#incoming.take(this.#remaining);
    this.#body.push(piece);
    this.#bodyLength += piece.length;
    this.#remaining -= piece.length;
    if (this.#remaining === 0) this.#part = next;
    return piece.length > 0 || this.#remaining === 0;
  }

  /** A target that speaks another protocol may never send the end of a line. */
  #refuseOthers(isAtEnd: boolean): boolean {
    const bytes = this.#incoming.peek(versionLength);
    const lineEnd = bytes.indexOf('\n');
    const start = bytes.toString('latin1', 0, lineEnd === -1 ? undefined : lineEnd);
    const isEnough = isAtEnd || lineEnd !== -1 || bytes.length === versionLength;
    if (!isEnough || start.startsWith(version) || (lineEnd === -1 && version.startsWith(start))) return false;
    // A record of TLS begins with its type, alert or handshake, and the version.
    const isTls = (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3;
    this.#problem = isTls
      ? 'the target speaks TLS, not plain HTTP'
      : `not HTTP/1: the answer begins with "${shown(start)}"`;
    return true;
  }

  #readLine(): boolean {
    const line = this.#incoming.line();
    if (line === undefined) return false;
    if (this.#part === 'status line') this.#readStatus(line);
    else if (this.#part === 'headers') this.#readHeader(line);
    else if (this.#part === 'chunk line') this.#readChunkLine(line);
    else if (this.#part === 'trailers') this.#part = line === '' ? 'complete' : 'trailers';
    else if (line === '') this.#part = 'chunk line';
    else this.#problem = `malformed chunked body: "${shown(line)}" after a chunk`;
    return true;
  }

  #readStatus(line: string): void {
    const match = statusLine.exec(line);
    if (match === null) {
      this.#problem = `malformed status line: "${shown(line)}"`;
      return;
    }
    this.#status = Number(match[1]);
    this.#reason = shown(match[2] ?? '');
    this.#headers = new Map();
    this.#lastHeader = undefined;
    this.#part = 'headers';
  }

  #readHeader(line: string): void {
    if (line === '') {
      this.#endHead();
      return;
    }
    const isFolded = line.startsWith(' ') || line.startsWith('\t');
    if (isFolded && this.#lastHeader !== undefined) {
      this.#headers.set(this.#lastHeader, `${this.#headers.get(this.#lastHeader)} ${line.trim()}`);
      return;
    }
    const match = headerLine.exec(line);
    if (match === null) {
      this.#problem = `malformed header: "${shown(line)}"`;
      return;
    }
    const name = (match[1] ?? '').toLowerCase();
    const value = (match[2] ?? '').trim();
    const before = this.#headers.get(name);
    this.#headers.set(name, before === undefined ? value : `${before}, ${value}`);
    this.#lastHeader = name;
  }

  #endHead(): void {
    // 101 is final: what follows is another protocol. The other ones come before the final response.
    if (this.#status < 200 && this.#status !== 101) {
      this.#part = 'status line';
      return;
    }
    this.#head = { status: this.#status, reason: this.#reason, headers: this.#headers };
    this.#part = this.#wantsBody ? this.#bodyPart() : 'complete';
  }

  /** How the body ends (RFC 9112, section 6.3). */
  #bodyPart(): Part {
    if (this.#method === 'HEAD' || [101, 204, 304].includes(this.#status)) return 'complete';
    const codings = listed(this.#headers.get('transfer-encoding')).filter(coding => coding !== 'identity');
    if (codings.length > 0) {
      if (codings.length === 1 && codings[0] === 'chunked') return 'chunk line';
      this.#problem = `the body has the transfer coding "${shown(codings.join(', '))}", which was not asked for`;
      return 'rest';
    }
    const lengths = [...new Set(listed(this.#headers.get('content-length')))];
    const [length] = lengths;
    if (length === undefined) return 'rest';
    if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) {
      this.#problem = `malformed Content-Length: "${shown(lengths.join(', '))}"`;
      return 'rest';
    }
    this.#remaining = Number(length);
    return 'counted';
  }

  #readChunkLine(line: string): void {
    const match = chunkLine.exec(line);
    if (match === null) {
      this.#problem = `malformed chunked body: "${shown(line)}" in place of a length`;
      return;
    }
    this.#remaining = Number.parseInt(match[1] ?? '', 16);
    this.#part = this.#remaining === 0 ? 'trailers' : 'chunk';
  }
}

function listed(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map(item => item.trim().toLowerCase())
    .filter(item => item !== '');
}
