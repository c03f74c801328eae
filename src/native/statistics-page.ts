// SPDX-License-Identifier: Apache-2.0
// The statistics page from JavaScript's side. How the page works and what its words mean is told in
// native/engine/statistics.h; here is no second copy of it: every position comes from the layout that the addon exports.
//
// Reading is a load from shared memory, not a call. A thread that was handed the words (through `workerData`, say) can
// read them too. Counters are read one by one: each is exact, two of them may be a moment apart.
import { UsageError } from '../core/errors.ts';

/** Where in the page each thing is, in words of 64 bits. */
export interface StatisticsLayout {
  readonly magic: bigint;
  readonly version: bigint;
  readonly hash: bigint;
  /** Words of a whole page. */
  readonly size: number;
  readonly firstBlock: number;
  readonly blockCount: number;
  readonly blockStride: number;
  /** Bytes of a block's name. */
  readonly nameSize: number;
  readonly firstCounter: number;
  /** Words of the page's header, from the page's start. */
  readonly page: Readonly<Record<'version' | 'magic' | 'layout_hash' | 'beat' | 'beats', number>>;
  /** Words of a block that are not counters, from the block's start. */
  readonly block: Readonly<Record<'generation' | 'name' | 'name_continued' | 'beat', number>>;
  /** Counters by name, numbered from `firstCounter` of a block. */
  readonly counters: Readonly<Record<string, number>>;
  /** What each counter counts, by name. */
  readonly meanings: Readonly<Record<string, string>>;
}

/** The native writer of a page. Wrong arguments give a TypeError or a RangeError. */
export interface NativeStatisticsWriter {
  /** A block's index, or the reason why there is none. */
  claim(name: string): number | string;
  add(block: number, counter: number, amount: bigint): void;
  release(block: number): void;
  startHeartbeat(milliseconds: number): void;
  stopHeartbeat(): void;
}

/** What the addon exports for statistics. */
export interface StatisticsAddon {
  readonly statisticsLayout: StatisticsLayout;
  readonly StatisticsWriter: new (words: BigUint64Array) => NativeStatisticsWriter;
}

/** One writer's block as it was found. */
export interface StatisticsBlock {
  readonly index: number;
  readonly name: string;
  /** Whether its writer still has it. */
  readonly held: boolean;
  /** Monotonic nanoseconds of its writer's last sign of life; 0 before the first. */
  readonly beat: bigint;
}

/** The readers' side of a page. */
export class StatisticsPage {
  /** The page itself: over a SharedArrayBuffer, so it can be handed to other threads. */
  readonly words: BigUint64Array;
  readonly #layout: StatisticsLayout;

  /** A page of these words, which another thread formatted. */
  constructor(words: BigUint64Array, layout: StatisticsLayout) {
    if (words.length < layout.size) {
      throw new UsageError('a statistics page is too small', { value: words.length, remedy: `needs ${layout.size}` });
    }
    this.words = words;
    this.#layout = layout;
    const { magic, version, layout_hash } = layout.page;
    const formatted = this.#load(magic) === layout.magic && this.#load(version) === layout.version;
    if (!formatted || this.#load(layout_hash) !== layout.hash) {
      throw new UsageError('the memory is no statistics page of this build', {
        remedy: 'open a StatisticsWriter on it first, with the same build of the native module',
      });
    }
  }

  /** The names of all counters, in the page's order. */
  get counters(): readonly string[] {
    return Object.keys(this.#layout.counters);
  }

  /** Monotonic nanoseconds (as `process.hrtime.bigint()`) of the last heartbeat; 0 before the first. */
  get beat(): bigint {
    return this.#load(this.#layout.page.beat);
  }

  /** Heartbeats so far. */
  get beats(): bigint {
    return this.#load(this.#layout.page.beats);
  }

  /** Every block that ever had a writer, in the order of their first claims. */
  blocks(): StatisticsBlock[] {
    const { blockCount, block } = this.#layout;
    const found: StatisticsBlock[] = [];
    for (let index = 0; index < blockCount; index += 1) {
      const start = this.#start(index);
      const generation = this.#load(start + block.generation);
      if (generation === 0n) break;
      found.push({
        index,
        name: this.#name(start),
        held: generation % 2n === 1n,
        beat: this.#load(start + block.beat),
      });
    }
    return found;
  }

  /** One counter of one block. */
  read(block: number, counter: string): bigint {
    return this.#load(this.#start(block) + this.#layout.firstCounter + counterIndex(this.#layout, counter));
  }

  /** One counter over all blocks. It never falls. */
  total(counter: string): bigint {
    const offset = this.#layout.firstCounter + counterIndex(this.#layout, counter);
    let sum = 0n;
    for (let index = 0; index < this.#layout.blockCount; index += 1) sum += this.#load(this.#start(index) + offset);
    return sum;
  }

  #start(block: number): number {
    if (!Number.isInteger(block) || block < 0 || block >= this.#layout.blockCount) {
      throw new UsageError('no such block in a statistics page', { value: block });
    }
    return this.#layout.firstBlock + block * this.#layout.blockStride;
  }

  // Atomics, because an ordinary read of a 64-bit word is allowed to be torn in two.
  #load(word: number): bigint {
    return Atomics.load(this.words, word);
  }

  #name(start: number): string {
    const { block, nameSize } = this.#layout;
    const encoded = Buffer.alloc(nameSize);
    encoded.writeBigUInt64LE(this.#load(start + block.name), 0);
    encoded.writeBigUInt64LE(this.#load(start + block.name_continued), 8);
    return encoded.toString().replace(/\0+$/, '');
  }
}

function counterIndex(layout: StatisticsLayout, counter: string): number {
  const index = Object.hasOwn(layout.counters, counter) ? layout.counters[counter] : undefined;
  if (index === undefined) throw new UsageError('no such counter', { value: counter });
  return index;
}

/** Memory for a page, to be formatted by its native writer. */
export function pageWords({ statisticsLayout }: StatisticsAddon): BigUint64Array {
  return new BigUint64Array(new SharedArrayBuffer(statisticsLayout.size * BigUint64Array.BYTES_PER_ELEMENT));
}

/** The writers' side of a new page. Native threads and components in TypeScript count into blocks of their own. */
export class StatisticsWriter {
  readonly page: StatisticsPage;
  readonly #native: NativeStatisticsWriter;
  readonly #layout: StatisticsLayout;

  constructor(addon: StatisticsAddon) {
    const layout = addon.statisticsLayout;
    const words = pageWords(addon);
    this.#native = new addon.StatisticsWriter(words);
    this.#layout = layout;
    this.page = new StatisticsPage(words, layout);
  }

  /** Claims the block of this name: 1 to 16 bytes of UTF-8, one writer at a time. */
  claim(name: string): CounterBlock {
    const block = this.#native.claim(name);
    if (typeof block === 'string') throw new UsageError(`no block for a writer: ${block}`, { value: name });
    return new CounterBlock(this.#native, this.#layout, block);
  }

  /** Lets a native thread stamp the page's beat at this interval, until it is stopped. */
  startHeartbeat(milliseconds: number): void {
    this.#native.startHeartbeat(milliseconds);
  }

  stopHeartbeat(): void {
    this.#native.stopHeartbeat();
  }
}

/** The counters of one writer. */
export class CounterBlock {
  readonly index: number;
  readonly #native: NativeStatisticsWriter;
  readonly #layout: StatisticsLayout;

  constructor(native: NativeStatisticsWriter, layout: StatisticsLayout, index: number) {
    this.index = index;
    this.#native = native;
    this.#layout = layout;
  }

  add(counter: string, amount: bigint): void {
    this.#native.add(this.index, counterIndex(this.#layout, counter), amount);
  }

  /** Gives the block up; its counts stay in the page. */
  release(): void {
    this.#native.release(this.index);
  }
}
