// SPDX-License-Identifier: Apache-2.0
// A crash at any moment: the files of a history are cut at every byte, as a process that dies while it writes leaves them.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Journal } from '../../../../src/control/history/journal.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const note = { id: 'f00d', at: '2026-01-31T12:00:00.000Z', action: 'apply', author: 'alice' } as const;
const document = (number: number) => ({ servers: Array.from({ length: number }, (_, index) => `10.0.0.${index}`) });
const entries = 5;

it('leaves the last entry that was written whole, and the history goes on', async () => {
  const whole = join(folder, 'whole');
  const journal = await Journal.open(whole, { warn: () => {} });
  /** The length of the file when the entry of this number was on disk. */
  const lengths = [0];
  const path = () => join(whole, readdirSync(whole).sort().at(-1) ?? '');
  for (let number = 1; number <= entries; number++) {
    await journal.add(note, document(number));
    lengths.push(readFileSync(path()).length);
  }
  await journal.close();
  expect(readdirSync(whole)).toEqual(['00000001.jsonl']);

  for (let cut = 0; cut <= (lengths.at(-1) ?? 0); cut++) {
    const crashed = join(folder, 'crashed');
    rmSync(crashed, { recursive: true, force: true });
    cpSync(whole, crashed, { recursive: true });
    truncateSync(join(crashed, '00000001.jsonl'), cut);
    const expected = lengths.findLastIndex(length => length <= cut);
    const warnings: string[] = [];
    const after = await Journal.open(crashed, { warn: problem => warnings.push(problem) });
    expect({ cut, last: after.last?.document }).toEqual({ cut, last: expected > 0 ? document(expected) : undefined });
    const added = await after.add(note, document(90));
    expect(added.number).toBe(expected + 1);
    await after.close();
    const again = await Journal.open(crashed, { warn: problem => warnings.push(problem) });
    expect(again.last).toEqual({ entry: added, document: document(90) });
    expect(again.entries).toHaveLength(expected + 1);
    await again.close();
  }
});
