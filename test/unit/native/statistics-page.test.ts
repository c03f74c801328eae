// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { loadAddon } from '../../../src/native/addon.ts';
import { StatisticsPage, StatisticsWriter } from '../../../src/native/statistics-page.ts';

const addon = loadAddon();
const layout = addon.statisticsLayout;

describe('the statistics page', () => {
  it('shows what native code counted, block by block and in sum', () => {
    const writer = new StatisticsWriter(addon);
    const { page } = writer;
    const first = writer.claim('worker-0');
    const second = writer.claim('wörker-1');
    first.add('frames_received', 3n);
    first.add('frames_received', 4n);
    second.add('frames_received', 2n ** 63n);
    second.add('bytes_received', 1500n);
    expect(page.blocks()).toEqual([
      { index: 0, name: 'worker-0', held: true, beat: 0n },
      { index: 1, name: 'wörker-1', held: true, beat: 0n },
    ]);
    expect([0, 1].map(block => page.read(block, 'frames_received'))).toEqual([7n, 2n ** 63n]);
    expect(page.total('frames_received')).toBe(2n ** 63n + 7n);
    expect(page.total('bytes_received')).toBe(1500n);
    expect(page.total('batches')).toBe(0n);
  });

  it('keeps the counts of a block that was released, and counts on when its name comes back', () => {
    const writer = new StatisticsWriter(addon);
    const { page } = writer;
    const block = writer.claim('worker-0');
    block.add('batches', 5n);
    block.release();
    expect(page.blocks()).toMatchObject([{ name: 'worker-0', held: false }]);
    expect(page.total('batches')).toBe(5n);
    writer.claim('worker-1').add('batches', 1n);
    writer.claim('worker-0').add('batches', 1n);
    expect(page.blocks()).toMatchObject([{ held: true }, { held: true }]);
    expect(page.read(0, 'batches')).toBe(6n);
    expect(page.total('batches')).toBe(7n);
  });

  it.each([
    ['', 'a name is 1 to 16 bytes of UTF-8 without a zero'],
    ['seventeen letters', 'a name is 1 to 16 bytes of UTF-8 without a zero'],
    ['neun Bytes ßßßß', 'a name is 1 to 16 bytes of UTF-8 without a zero'],
    ['a\0b', 'a name is 1 to 16 bytes of UTF-8 without a zero'],
    ['held', 'another writer has this name'],
  ])('refuses to claim a block for %j', (name, reason) => {
    const writer = new StatisticsWriter(addon);
    writer.claim('held');
    expect(() => writer.claim(name)).toThrow(UsageError);
    expect(() => writer.claim(name)).toThrow(`no block for a writer: ${reason}: ${JSON.stringify(name)}`);
  });

  it('has room for a block of every index and no more', () => {
    const writer = new StatisticsWriter(addon);
    for (let index = 0; index < layout.blockCount; index += 1) {
      expect(writer.claim(`writer ${index}`).index).toBe(index);
    }
    expect(() => writer.claim('one more')).toThrow('all blocks of the page are taken');
    expect(writer.page.blocks()).toHaveLength(layout.blockCount);
  });

  it('is stamped with the monotonic clock by a native thread', () => {
    const writer = new StatisticsWriter(addon);
    const before = process.hrtime.bigint();
    expect(writer.page.beat).toBe(0n);
    writer.startHeartbeat(1);
    while (writer.page.beats < 2n);
    writer.stopHeartbeat();
    expect(writer.page.beat).toBeGreaterThanOrEqual(before);
    expect(writer.page.beat).toBeLessThanOrEqual(process.hrtime.bigint());
  });

  it('can be read by any holder of its memory', () => {
    const writer = new StatisticsWriter(addon);
    writer.claim('dns').add('frames_dropped', 1n);
    const view = new StatisticsPage(new BigUint64Array(writer.page.words.buffer), layout);
    expect(view.total('frames_dropped')).toBe(1n);
  });

  it('is refused when it is too small, not formatted, or of another build', () => {
    const blank = new BigUint64Array(new SharedArrayBuffer(layout.size * 8));
    expect(() => new StatisticsPage(blank.subarray(1), layout)).toThrow(
      `a statistics page is too small: ${layout.size - 1} (needs ${layout.size})`,
    );
    expect(() => new StatisticsPage(blank, layout)).toThrow('the memory is no statistics page of this build');
    const { words } = new StatisticsWriter(addon).page;
    for (const other of [{ hash: layout.hash ^ 1n }, { version: 2n }, { magic: 0n }]) {
      expect(() => new StatisticsPage(words, { ...layout, ...other })).toThrow(UsageError);
    }
  });

  it('refuses counters and blocks that do not exist', () => {
    const { page } = new StatisticsWriter(addon);
    expect(() => page.total('toString')).toThrow('no such counter: "toString"');
    for (const block of [-1, 0.5, layout.blockCount]) {
      expect(() => page.read(block, 'batches')).toThrow('no such block in a statistics page');
    }
  });
});

describe('the layout', () => {
  it('explains every counter and keeps all words of a block inside it', () => {
    const { page } = new StatisticsWriter(addon);
    expect(Object.keys(layout.meanings)).toEqual(page.counters);
    const held = layout.firstCounter + page.counters.length;
    expect(Math.max(...Object.values(layout.block))).toBeLessThan(layout.firstCounter);
    expect(held).toBeLessThanOrEqual(layout.blockStride);
    expect(Math.max(...Object.values(layout.page))).toBeLessThan(layout.firstBlock);
    expect(layout.firstBlock + layout.blockCount * layout.blockStride).toBe(layout.size);
  });
});
