// SPDX-License-Identifier: Apache-2.0
// What a terminal in raw mode sends, as keys. A character stands for itself; other keys have names. The bytes of one key may
// arrive in two parts, over ssh for example. The key Escape sends the byte that the sequences of other keys begin with: it
// is known as Escape when nothing follows.

/** A printable ASCII character, or a name. */
export type Key = string;

const escapeByte = '\x1b';

const controls: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'ctrl-c',
  '\x0c': 'ctrl-l',
  '\x1a': 'ctrl-z',
  '\x1c': 'ctrl-\\',
};

/** After ESC [ or ESC O, as xterm, the Linux console, rxvt and tmux send them. */
const sequences: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '4~': 'end',
  '5~': 'page-up',
  '6~': 'page-down',
  '7~': 'home',
  '8~': 'end',
};

/** ECMA-48: parameters, then one final character. */
const complete = new RegExp(`^${escapeByte}[[O]([0-9;]*[@-~])`);
const begun = new RegExp(`^${escapeByte}([[O][0-9;]*)?$`);

export class KeyReader {
  #rest = '';

  /** Whether the bytes so far may be the beginning of a key. */
  get isWaiting(): boolean {
    return this.#rest !== '';
  }

  /** The keys that are complete. Bytes that no key sends are left out. */
  read(text: string): Key[] {
    const keys: Key[] = [];
    let rest = this.#rest + text;
    while (rest !== '' && !begun.test(rest)) {
      const [whole, sequence] = complete.exec(rest) ?? [];
      // An Escape before a character that begins no sequence is the key itself.
      const bytes = whole ?? rest.charAt(0);
      const key = sequence === undefined ? keyOf(bytes) : sequences[sequence];
      if (key !== undefined) keys.push(key);
      rest = rest.slice(bytes.length);
    }
    this.#rest = rest;
    return keys;
  }

  /** To call when nothing has followed for a moment. */
  flush(): Key[] {
    const isEscape = this.#rest === escapeByte;
    this.#rest = '';
    return isEscape ? ['escape'] : [];
  }
}

function keyOf(character: string): Key | undefined {
  if (character === escapeByte) return 'escape';
  return controls[character] ?? (/^[ -~]$/.test(character) ? character : undefined);
}
