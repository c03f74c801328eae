// SPDX-License-Identifier: Apache-2.0
// The readers' side of published rows; the writers' side is in native/test/engine/service_rows_test.cc.
import { expect, it } from 'vitest';
import { loadAddon } from '../../../src/native/addon.ts';
import { ServiceRows } from '../../../src/native/service-rows.ts';

const addon = loadAddon();
const layout = addon.serviceRowsLayout;

function write(words: BigUint64Array, worker: number, row: number, name: string, connections: bigint, sequence = 2n) {
  const area = worker * layout.areaStride;
  words[area + layout.area.rows] = BigInt(row + 1);
  const start = area + layout.firstRow + row * layout.rowStride;
  words[start] = sequence;
  const encoded = Buffer.alloc(layout.nameWords * 8);
  encoded.write(name, 'latin1');
  for (let word = 0; word < layout.nameWords; word += 1) words[start + 1 + word] = encoded.readBigUInt64LE(word * 8);
  words[start + layout.firstCount + layout.counts.connections] = connections;
}

it('adds what workers have published of a service, in whatever order they have it', () => {
  const words = ServiceRows.wordsFor(addon, 2);
  const rows = new ServiceRows(words, layout);
  expect(rows.read()).toEqual(new Map());
  write(words, 0, 0, '4 tcp 10.0.0.1:80', 1n);
  write(words, 0, 1, '4 tcp 10.0.0.1:81', 2n);
  write(words, 1, 0, '4 tcp 10.0.0.1:81', 30n);
  const counted = [...rows.read()].map(([name, { connections }]) => [name, connections]);
  expect(counted).toEqual([
    ['4 tcp 10.0.0.1:80', 1],
    ['4 tcp 10.0.0.1:81', 32],
  ]);
  expect(rows.unseen).toBe(0);
  words[layout.areaStride + layout.area.rows] = BigInt(layout.rowCount + 3);
  expect(rows.unseen).toBe(3);
});

it('gives the rows of one service and of its servers', () => {
  const words = ServiceRows.wordsFor(addon, 1);
  const service = '4 tcp 10.0.0.1:80';
  const names = [service, `${service} > 10.0.2.11:80`, `${service}80`, '4 tcp 10.0.0.1:8 > 10.0.2.11:80'];
  for (const [row, name] of names.entries()) write(words, 0, row, name, 1n);
  expect([...new ServiceRows(words, layout).read(service).keys()]).toEqual(names.slice(0, 2));
});

it('leaves out rows that have never been written', () => {
  const words = ServiceRows.wordsFor(addon, 1);
  write(words, 0, 0, 'a', 1n, 0n);
  expect(new ServiceRows(words, layout).read().size).toBe(0);
});

it('has room for the longest name', () => {
  const longest = `[${'ffff:'.repeat(7)}ffff]:65535`;
  const name = `6 sctp ${longest} > ${longest}`;
  const words = ServiceRows.wordsFor(addon, 1);
  write(words, 0, 0, name, 1n);
  expect([...new ServiceRows(words, layout).read().keys()]).toEqual([name]);
});
