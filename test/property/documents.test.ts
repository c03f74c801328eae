// SPDX-License-Identifier: Apache-2.0
// A document in several files means what the same document in one file means, however it is split; and a document that is
// cut anywhere is an error or a document.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ConfigError } from '../../src/core/errors.ts';
import { documentFormat } from '../../src/daemon/document.ts';
import { filesInMemory } from '../unit/core/config/files-in-memory.ts';

type Value = Readonly<Record<string, unknown>>;

const example = readFileSync(new URL('../../examples/director.yaml', import.meta.url), 'utf8');

/** Maps whose entries are said once, and lists whose items have an order, of the example. */
const wholeEntries = ['ports', 'pools', 'egress'];

/** Gives each part of the document to a file: `choose` picks one of them, never an earlier one within a list. */
function split(value: Value, count: number, choose: (most: number) => number): Value[] {
  const files: Record<string, unknown>[] = Array.from({ length: count }, () => ({}));
  for (const [key, part] of Object.entries(value)) {
    const isMap = typeof part === 'object' && part !== null && !Array.isArray(part);
    if (Array.isArray(part)) {
      let at = 0;
      for (const item of part) {
        at += choose(count - at);
        const file = files[at] ?? {};
        file[key] = [...((file[key] as unknown[] | undefined) ?? []), item];
      }
    } else if (isMap && wholeEntries.includes(key)) {
      for (const [name, entry] of Object.entries(part)) {
        const file = files[choose(count)] ?? {};
        file[key] = { ...(file[key] as object | undefined), [name]: entry };
      }
    } else if (isMap) {
      for (const [index, below] of split(part as Value, count, choose).entries()) {
        const file = files[index] ?? {};
        if (Object.keys(below).length > 0) file[key] = below;
      }
    } else {
      const file = files[choose(count)] ?? {};
      file[key] = part;
    }
  }
  return files;
}

/** Files that include the others one after another, or all from the first. */
function textsOf(files: readonly Value[], isChain: boolean): Record<string, string> {
  const name = (index: number): string => (index === 0 ? 'sluice.yaml' : `part-${String(index).padStart(2, '0')}.yaml`);
  const entries = files.map((file, index) => {
    const isLast = index === files.length - 1;
    const include = isChain ? (isLast ? [] : [name(index + 1)]) : index === 0 ? ['part-*.yaml'] : [];
    return [name(index), stringify(include.length === 0 ? file : { include, ...file })] as const;
  });
  return Object.fromEntries(entries);
}

describe('a document', () => {
  it('has one id, however it is split into files', async () => {
    const whole = documentFormat.parse(example);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.boolean(),
        fc.infiniteStream(fc.nat(1000)),
        async (count, isChain, choices) => {
          const choose = (most: number): number => choices.next().value % most;
          const texts = textsOf(split(parse(example) as Value, count, choose), isChain);
          const snapshot = await documentFormat.load('sluice.yaml', filesInMemory(texts));
          expect(snapshot.id, JSON.stringify(texts)).toBe(whole.id);
          expect(snapshot).toEqual(whole);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('that is cut after any byte is an error or a document', async () => {
    const text = `include: ["a/\${SLUICE_A}.yaml", "b*.yaml"]\nprocess: { log_level: "\${SLUICE_B:-warn}" }\n${example}`;
    const bytes = Buffer.from(text);
    const environment = { SLUICE_A: 'a' };
    let documents = 0;
    for (let length = 0; length <= bytes.length; length++) {
      const cut = bytes.subarray(0, length).toString('utf8');
      // Every eighth cut is also one of an included file.
      const included = { 'sluice.yaml': 'include: [a.yaml]\n', 'a.yaml': cut };
      for (const texts of length % 8 === 0 ? [{ 'sluice.yaml': cut }, included] : [{ 'sluice.yaml': cut }]) {
        const files = filesInMemory({ ...texts, 'a/a.yaml': '', 'b.yaml': '' }, environment);
        const error: unknown = await documentFormat.load('sluice.yaml', files).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error === undefined) documents++;
        else expect(error, cut).toBeInstanceOf(ConfigError);
      }
    }
    expect(documents).toBeGreaterThan(0);
  }, 300_000);
});
