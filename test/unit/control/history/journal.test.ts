// SPDX-License-Identifier: Apache-2.0
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewEntry } from '../../../../src/control/history/entry.ts';
import { Journal } from '../../../../src/control/history/journal.ts';
import { writeLine } from '../../../../src/control/history/lines.ts';

const fields = (id: string): NewEntry => ({ id, at: '2026-11-30T12:00:00.000Z', author: 'alice', action: 'apply' });

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'history-')), 'made');
  warnings = [];
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const opened = (kept?: number) =>
  Journal.open(folder, { warn: problem => void warnings.push(problem), ...(kept === undefined ? {} : { kept }) });
const chapters = () => readdirSync(folder).sort();
const pathOf = (name: string) => join(folder, name);

async function withEntries(count: number, documentOf = (number: number): unknown => ({ number, list: [1, 2] })) {
  const journal = await opened();
  for (let number = 1; number <= count; number++) await journal.add(fields(`id${number}`), documentOf(number));
  return journal;
}

describe('the journal', () => {
  it('gives back entries and documents, in this process and in the next', async () => {
    const written = await withEntries(3);
    await written.confirm(2);
    for (const journal of [written, await opened()]) {
      expect(journal.entries.map(({ number, id }) => [number, id])).toEqual([
        [1, 'id1'],
        [2, 'id2'],
        [3, 'id3'],
      ]);
      expect(journal.last).toEqual({ entry: { ...fields('id3'), number: 3 }, document: { number: 3, list: [1, 2] } });
      expect(await journal.document(1)).toEqual({ number: 1, list: [1, 2] });
      expect(await journal.document(2)).toEqual({ number: 2, list: [1, 2] });
      expect(await journal.document(4)).toBeUndefined();
      expect([1, 2, 3].map(number => journal.isConfirmed(number))).toEqual([false, true, false]);
    }
    expect(chapters()).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('is empty at first, and says so', async () => {
    const journal = await opened();
    expect(journal.entries).toEqual([]);
    expect(journal.last).toBeUndefined();
    expect(await journal.document(1)).toBeUndefined();
  });

  it.each([1, 2, 30])('leaves out the last line when its last %i bytes are missing, and goes on', async missing => {
    await (await withEntries(3)).close();
    const [name = ''] = chapters();
    truncateSync(pathOf(name), readFileSync(pathOf(name)).length - missing);
    const journal = await opened();
    expect(journal.last?.entry.number).toBe(2);
    expect(warnings).toEqual([expect.stringContaining(`${name}:4: the line is damaged`)]);
    await journal.add(fields('again'), { again: true });
    const next = await opened();
    expect(next.entries.map(({ id }) => id)).toEqual(['id1', 'id2', 'again']);
    expect(next.last?.document).toEqual({ again: true });
  });

  it('keeps what stands before a damaged line, and begins another file', async () => {
    await (await withEntries(4)).close();
    const [name = ''] = chapters();
    const lines = readFileSync(pathOf(name), 'utf8').split('\n');
    lines[2] = lines[2]?.replace('id2', 'id9') ?? '';
    writeFileSync(pathOf(name), lines.join('\n'));
    const journal = await opened();
    expect(journal.entries.map(({ id }) => id)).toEqual(['id1']);
    expect(warnings).toEqual([expect.stringContaining(`${name}:3: the line is damaged`)]);
    await journal.add(fields('next'), { next: true });
    expect(chapters()).toHaveLength(2);
    expect((await opened()).entries.map(({ id }) => id)).toEqual(['id1', 'next']);
  });

  it('is refused when a newer program wrote it, and stays as it is', async () => {
    await (await withEntries(1)).close();
    const file = pathOf('00000002.jsonl');
    const text = `${writeLine({ version: 2 })}${writeLine({ something: 'else' })}`;
    writeFileSync(file, text);
    await expect(opened()).rejects.toMatchObject({ code: 'SLUICE_HISTORY', place: { file } });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('leaves other files of its folder alone', async () => {
    await (await withEntries(1)).close();
    writeFileSync(pathOf('README'), 'mine');
    appendFileSync(pathOf('00000002.jsonl.damaged'), 'kept by hand');
    expect((await opened()).entries).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('begins a new file when the edits have become long, and finds documents of both', async () => {
    const long = 'x'.repeat(100_000);
    const journal = await withEntries(8, number => ({ text: `${number}${long}` }));
    expect(chapters().length).toBeGreaterThan(2);
    for (const each of [journal, await opened()]) {
      for (const number of [1, 4, 8]) expect(await each.document(number)).toEqual({ text: `${number}${long}` });
    }
  });

  it('removes the oldest files when there are enough entries without them', async () => {
    const long = 'x'.repeat(100_000);
    const journal = await opened(4);
    for (let number = 1; number <= 20; number++) await journal.add(fields(`id${number}`), { text: `${number}${long}` });
    expect(journal.entries.length).toBeGreaterThanOrEqual(4);
    expect(journal.entries.length).toBeLessThan(8);
    expect((await opened(4)).entries).toEqual(journal.entries);
  });
});
