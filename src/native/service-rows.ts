// SPDX-License-Identifier: Apache-2.0
// Services and real servers with their counts, as workers publish them in shared memory. How that works is told in
// native/engine/service_rows.h; every position comes from the layout that the addon exports. Reading is a load from
// memory, not a call, and another thread that was handed the words and the layout can do it too.

/** Where in an area each thing is, in words of 64 bits. */
export interface ServiceRowsLayout {
  /** Words of one worker's area. */
  readonly areaStride: number;
  readonly firstRow: number;
  readonly rowStride: number;
  /** Rows for which there is room. */
  readonly rowCount: number;
  readonly nameWords: number;
  /** In a row; its sequence is the first word, its name the next ones. */
  readonly firstCount: number;
  readonly area: Readonly<Record<'rows' | 'passes' | 'since', number>>;
  readonly counts: Readonly<Record<RowCount, number>>;
}

export type RowCount =
  | 'connections'
  | 'packets_in'
  | 'packets_out'
  | 'bytes_in'
  | 'bytes_out'
  | 'active'
  | 'inactive'
  | 'persistent'
  | 'overloaded'
  | 'connection_rate'
  | 'packet_in_rate'
  | 'packet_out_rate'
  | 'byte_in_rate'
  | 'byte_out_rate';

export interface ServiceRowsAddon {
  readonly serviceRowsLayout: ServiceRowsLayout;
}

/** Of a service ("4 tcp 10.0.0.1:80") or of one of its servers ("4 tcp 10.0.0.1:80 > 10.0.2.11:8080"). */
export type RowCounts = Readonly<Record<RowCount, number>>;

export class ServiceRows {
  readonly words: BigUint64Array;
  readonly #layout: ServiceRowsLayout;
  /** Room for one name, as words and as bytes. */
  readonly #nameWords: BigUint64Array;
  readonly #nameBytes: Buffer;

  /** `words` has an area for each worker. */
  constructor(words: BigUint64Array, layout: ServiceRowsLayout) {
    this.words = words;
    this.#layout = layout;
    this.#nameWords = new BigUint64Array(layout.nameWords);
    this.#nameBytes = Buffer.from(this.#nameWords.buffer);
  }

  /** Memory for so many workers. */
  static wordsFor({ serviceRowsLayout: { areaStride } }: ServiceRowsAddon, workers: number): BigUint64Array {
    return new BigUint64Array(new SharedArrayBuffer(workers * areaStride * BigUint64Array.BYTES_PER_ELEMENT));
  }

  /** What all workers together have counted, by the row's name: of all rows, or of one service and its servers. */
  read(service?: string): Map<string, RowCounts> {
    const isWanted = (name: string): boolean =>
      service === undefined || name === service || name.startsWith(`${service} > `);
    const total = new Map<string, RowCounts>();
    for (let area = 0; area < this.words.length; area += this.#layout.areaStride) {
      for (const [name, counts] of this.#rows(area, isWanted)) {
        const before = total.get(name);
        total.set(name, before === undefined ? counts : mapCounts(count => before[count] + counts[count]));
      }
    }
    return total;
  }

  /** Services and servers beyond the rows that there are, of the worker that has most. */
  get unseen(): number {
    let most = 0;
    for (let area = 0; area < this.words.length; area += this.#layout.areaStride) {
      most = Math.max(most, Number(this.#load(area + this.#layout.area.rows)) - this.#layout.rowCount);
    }
    return most;
  }

  *#rows(area: number, isWanted: (name: string) => boolean): Generator<[string, RowCounts], void, undefined> {
    const { firstRow, rowStride, rowCount } = this.#layout;
    const count = Math.min(Number(this.#load(area + this.#layout.area.rows)), rowCount);
    for (let index = 0; index < count; index += 1) {
      const row = this.#row(area + firstRow + index * rowStride, isWanted);
      if (row !== undefined) yield row;
    }
  }

  // A writer is within a row for less than a microsecond; a reader that meets it is soon rid of it.
  #row(start: number, isWanted: (name: string) => boolean): [string, RowCounts] | undefined {
    for (;;) {
      const before = this.#load(start);
      if (before === 0n) return undefined;
      if (before % 2n !== 0n) continue;
      const name = this.#name(start + 1);
      const counts = isWanted(name) ? this.#counts(start + this.#layout.firstCount) : undefined;
      if (this.#load(start) === before) return counts === undefined ? undefined : [name, counts];
    }
  }

  #counts(start: number): RowCounts {
    const { counts } = this.#layout;
    return mapCounts(name => Number(this.#load(start + counts[name])));
  }

  // Loaded word by word: plain reads might be moved behind the second look at the sequence.
  #name(start: number): string {
    for (let word = 0; word < this.#layout.nameWords; word += 1) this.#nameWords[word] = this.#load(start + word);
    const name = this.#nameBytes.toString('latin1');
    const end = name.indexOf('\0');
    return end < 0 ? name : name.slice(0, end);
  }

  #load(word: number): bigint {
    return Atomics.load(this.words, word);
  }
}

/** A record of what `countOf` gives for each count. */
function mapCounts(countOf: (name: RowCount) => number): RowCounts {
  return {
    connections: countOf('connections'),
    packets_in: countOf('packets_in'),
    packets_out: countOf('packets_out'),
    bytes_in: countOf('bytes_in'),
    bytes_out: countOf('bytes_out'),
    active: countOf('active'),
    inactive: countOf('inactive'),
    persistent: countOf('persistent'),
    overloaded: countOf('overloaded'),
    connection_rate: countOf('connection_rate'),
    packet_in_rate: countOf('packet_in_rate'),
    packet_out_rate: countOf('packet_out_rate'),
    byte_in_rate: countOf('byte_in_rate'),
    byte_out_rate: countOf('byte_out_rate'),
  };
}

/** Of a service or a server that nobody has counted yet. */
export const noCounts: RowCounts = mapCounts(() => 0);
