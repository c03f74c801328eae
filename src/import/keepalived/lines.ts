// SPDX-License-Identifier: Apache-2.0
// What a line of keepalived's files is made of: comments, words, and braces that stand for a line of their own.

/** The line without its comment and without blanks at its ends. `#` and `!` within double quotes begin no comment. */
export function withoutComment(line: string): string {
  let quoted = false;
  let end = line.length;
  for (let at = 0; at < line.length; at++) {
    const sign = line[at];
    if (sign === '\\') at++;
    else if (sign === '"') quoted = !quoted;
    else if (!quoted && (sign === '#' || sign === '!')) {
      end = at;
      break;
    }
  }
  return line.slice(0, end).trim();
}

/** The words of a line: only double quotes make one of several; a quote begins a word, as in `a"b c"`. */
export function wordsOf(text: string): string[] {
  const readable = hasOpenQuote(text) ? text.slice(0, text.lastIndexOf('"')) : text;
  return [...readable.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, quoted]) => quoted ?? word);
}

/** Whether a quote has no end: keepalived reads such a line up to the quote. */
export function hasOpenQuote(text: string): boolean {
  return text.split('"').length % 2 === 0;
}

/** The parts of a line that count as lines: each brace outside of double quotes is one. */
export function partsOf(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') quoted = !quoted;
    if (quoted || (sign !== '{' && sign !== '}')) continue;
    parts.push(text.slice(from, at), sign);
    from = at + 1;
  }
  parts.push(text.slice(from));
  return parts.map(part => part.trim()).filter(part => part !== '');
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The words of a command: quotes of both kinds, and escapes as in a shell. */
export function commandWords(text: string): string[] {
  const pattern = /\\x([0-9A-Fa-f]+)|\\([0-7]{1,3})|\\c([\s\S])|\\([\s\S])|([\s\S])/g;
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (const [, hex, octal, control, escaped, plain] of text.matchAll(pattern)) {
    if (plain === undefined) {
      word = (word ?? '') + unescaped(hex, octal, control, escaped);
    } else if (quote !== '') {
      if (plain === quote) quote = '';
      else word = (word ?? '') + plain;
    } else if (plain === '"' || plain === "'") {
      quote = plain;
      word ??= '';
    } else if (/\s/.test(plain)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + plain;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function unescaped(hex?: string, octal?: string, control?: string, escaped = ''): string {
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex.slice(-2), 16));
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
  if (control !== undefined) return String.fromCharCode(control.charCodeAt(0) & 0x1f);
  return escapes[escaped] ?? escaped;
}
