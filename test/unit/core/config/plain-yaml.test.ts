// SPDX-License-Identifier: Apache-2.0
// The fast reader of plain documents against the YAML library: whatever it reads, it reads alike, with the same places.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePlainYaml } from '../../../../src/core/config/plain-yaml.ts';
import { Problems } from '../../../../src/core/config/problems.ts';
import { parseWithLibrary } from '../../../../src/core/config/yaml.ts';
import { packageRoot } from '../../../../src/core/package-root.ts';

/** Whether the fast reader reads the text; it must then read it as the library does, which finds nothing wrong. */
function readsAlike(text: string): boolean {
  const tree = parsePlainYaml(text, 'a.yaml');
  if (tree === undefined) return false;
  const problems = new Problems();
  const expected = parseWithLibrary(text, 'a.yaml', problems);
  expect({ text, count: problems.count }).toEqual({ text, count: 0 });
  expect({ text, tree }).toEqual({ text, tree: expected });
  return true;
}

const examples = readdirSync(join(packageRoot, 'examples'))
  .filter(name => name.endsWith('.yaml'))
  .map(name => readFileSync(join(packageRoot, 'examples', name), 'utf8'));

const texts = [
  'a: 1\nb: text # comment\n\n# another\nc:\n  - x\n  - y: 1\n    z: [1, two, "three"]\n  - { a: b, c: { d: [] } }\n',
  'list:\n- 10.0.0.1:80\n- "[2001:db8::1]:80"\nnext: true\n',
  "a: '#'\nb: ''\nc: {}\nd: [ ]\n'e f': off\n",
  'a:   # why\n    b:\n      - c: d\n        e:\n          - f\n        g: 0\n      - h\n',
  'a: 0x10\nb: 1.5\nc: 1e3\nd: 012\ne: .5\nf: ~\ng: null\nh: True\ni: 10.0.0.1\nj: 1.2.3\n',
];

/** A generator of numbers that is the same each time. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    yield state >>> 8;
  }
}

describe('the reader of plain documents', () => {
  it.each(texts.slice(0, 4))('reads what documents are written in: %j', text => {
    expect(readsAlike(text)).toBe(true);
  });

  it.each([
    'a: &x 1\nb: *x\n',
    'a: |\n  text\n',
    'a: one\n  two\n',
    'a: "\\n"\n',
    'a: {b: 1,\n  c: 2}\n',
    'a: 1\na: 2\n',
    'a:\n',
    'a: 1.5\n',
    '---\na: 1\n',
    'a:\t1\n',
    'a: b: c\n',
    '- - a\n',
    '? a\n',
    'a: !!str 1\n',
    'a: [1, 2,]\n',
    '',
    '# nothing\n',
  ])('leaves to the library what is beyond: %j', text => {
    expect(parsePlainYaml(text, undefined)).toBeUndefined();
  });

  it('reads texts that were changed at random as the library does, or not at all', () => {
    const random = numbers(1);
    const below = (limit: number): number => random.next().value % limit;
    const pieces = [' ', '  ', '\n', ':', ': ', '- ', '-', '#', ' #', '"', "'", '[', ']', '{', '}', ',', '0', '.', 'a'];
    pieces.push('~', '+', 'e', '%', '/', '\n  ', '\n- ', '&', '*', '!', '|', '>', '?', '\\', 'null', 'x: y', 'é');
    let read = 0;
    const seeds = [...texts, ...examples.map(text => text.slice(0, 600))];
    for (let round = 0; round < 3000; round++) {
      let text = seeds[below(seeds.length)] ?? '';
      for (let changes = 1 + below(3); changes > 0; changes--) {
        const at = below(text.length + 1);
        text = text.slice(0, at) + (pieces[below(pieces.length)] ?? '') + text.slice(at + below(3));
      }
      if (readsAlike(text)) read++;
    }
    // Else the test would show nothing.
    expect(read).toBeGreaterThan(300);
  });

  it('reads the examples', () => {
    const left = examples.filter(text => !readsAlike(text));
    expect(left.length).toBeLessThan(examples.length / 2);
  });
});
