// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { KeptValue } from '../../../src/daemon/kept-value.ts';

/** What the supervisor holds, and how often the value was written whole. */
class Memory {
  texts: string[] | undefined;
  whole = 0;
  isFull = false;

  configuration = () => this.texts;
  keepConfiguration = (text: string): boolean => {
    if (this.isFull) return false;
    this.texts = [text];
    this.whole++;
    return true;
  };
  extendConfiguration = (text: string): boolean => {
    if (this.isFull || this.texts === undefined) return false;
    this.texts.push(text);
    return true;
  };
}

const services = (count: number, weight = 1) => Array.from({ length: count }, (_, at) => ({ at, weight }));

describe('a value that is kept for the next process', () => {
  it('is what was kept last, however often it has changed', () => {
    const memory = new Memory();
    const kept = new KeptValue(memory);
    expect(kept.take()).toBeUndefined();
    let list = services(50);
    for (let change = 0; change < 500; change++) {
      const at = (change * 7) % list.length;
      const added = change % 3 === 0 ? [{ at: 1000 + change, weight: 2 }] : [];
      list = [...list.slice(0, at), { at, weight: change }, ...added, ...list.slice(at + 1 + (change % 2))];
      const value = { number: change, list };
      expect(kept.keep(value)).toBe(true);
      expect(new KeptValue(memory).take()).toEqual(value);
    }
  });

  it('is written whole once, and again when its edits have grown long', () => {
    const memory = new Memory();
    const kept = new KeptValue(memory);
    const list = services(10_000);
    kept.keep({ number: 0, list });
    for (let change = 1; change <= 100; change++) {
      kept.keep({ number: change, list: list.map(one => (one.at === change ? { ...one, weight: change } : one)) });
    }
    expect(memory.whole).toBe(1);
    expect(memory.texts?.slice(1).every(text => text.length < 300)).toBe(true);
    kept.keep({ number: 101, list: services(10_000, 2) });
    expect(memory.whole).toBe(2);
    expect(memory.texts).toHaveLength(1);
    expect(kept.take()).toEqual({ number: 101, list: services(10_000, 2) });
  });

  it('stays as it was while there is no memory for the next one, which is written when there is', () => {
    const memory = new Memory();
    const kept = new KeptValue(memory);
    kept.keep({ number: 1 });
    memory.isFull = true;
    expect(kept.keep({ number: 2 })).toBe(false);
    expect(kept.take()).toEqual({ number: 1 });
    memory.isFull = false;
    expect(kept.keep({ number: 3 })).toBe(true);
    expect(kept.take()).toEqual({ number: 3 });
  });
});
