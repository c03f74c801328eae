// SPDX-License-Identifier: Apache-2.0
// A document in several files: how they are put together, and what is wrong where.
import { describe, expect, it } from 'vitest';
import { mostFiles } from '../../../../src/core/config/includes.ts';
import type { ConfigErrors } from '../../../../src/core/config/problems.ts';
import { ConfigError } from '../../../../src/core/errors.ts';
import { documentFormat } from '../../../../src/daemon/document.ts';
import { filesInMemory } from './files-in-memory.ts';

const service = (address: string, server = '10.0.2.1') => `{ tcp: "${address}:80", servers: [${server}] }`;
const load = (texts: Readonly<Record<string, string>>) => documentFormat.load('sluice.yaml', filesInMemory(texts));

/** Everything that is wrong, a line each. */
async function wrongIn(texts: Readonly<Record<string, string>>): Promise<string[]> {
  const error: unknown = await load(texts).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigError)) throw error ?? new Error('the document is valid');
  return ((error as Partial<ConfigErrors>).errors ?? [error]).map(({ message }) => message);
}

describe('a document that includes others', () => {
  it('means what one document with all of their content means', async () => {
    const whole = documentFormat.parse(`
director:
  services: [${service('10.0.1.1')}, ${service('10.0.1.2')}, ${service('10.0.1.3')}]
  pools: { local: [10.0.3.0/28], public: [192.0.2.1] }
  timeouts: { tcp: { established: 600, fin_wait: 7 } }
process: { log_level: warn }
`);
    const parts = await load({
      'sluice.yaml': `
include: [services/*.yaml, rest.yaml]
director:
  services: [${service('10.0.1.1')}]
  timeouts: { tcp: { established: 600 } }
`,
      'services/b.yaml': `director: { services: [${service('10.0.1.3')}], pools: { public: [192.0.2.1] } }\n`,
      'services/a.yaml': `director: { services: [${service('10.0.1.2')}], pools: { local: [10.0.3.0/28] } }\n`,
      'rest.yaml': 'process: { log_level: warn }\ndirector: { timeouts: { tcp: { fin_wait: 7 } } }\n',
    });
    expect(parts).toEqual(whole);
    expect(parts.id).toBe(whole.id);
  });

  it('may include files that include others, each relative to its own folder', async () => {
    const snapshot = await load({
      'sluice.yaml': 'include: [sites/all.yaml]\n',
      'sites/all.yaml': 'include: [../common.yaml, one.yaml]\n',
      'sites/one.yaml': `director: { services: [${service('10.0.1.1')}] }\n`,
      'common.yaml': 'process: { log_level: warn }\n',
    });
    expect(snapshot.director.services).toHaveLength(1);
    expect(snapshot.process.logLevel).toBe('warn');
  });

  it('has a file that is reached twice once', async () => {
    const snapshot = await load({
      'sluice.yaml': 'include: [a.yaml, b.yaml, "?.yaml"]\n',
      'a.yaml': 'include: [common/x.yaml]\n',
      'b.yaml': 'include: [common/x.yaml]\n',
      'common/x.yaml': `director: { services: [${service('10.0.1.1')}] }\n`,
    });
    expect(snapshot.director.services).toHaveLength(1);
  });

  it('may have a pattern with wildcards that stands for no file', async () => {
    const snapshot = await load({ 'sluice.yaml': 'include: [services/*.yaml]\nprocess: { log_level: warn }\n' });
    expect(snapshot.id).toBe(documentFormat.from({ process: { log_level: 'warn' } }).id);
  });

  it('leaves no include in what is written', async () => {
    const snapshot = await load({ 'sluice.yaml': 'include: [a.yaml]\n', 'a.yaml': 'process: { log_level: warn }\n' });
    expect(documentFormat.write(snapshot)).toEqual({ process: { log_level: 'warn' } });
  });
});

describe('what is wrong in several files', () => {
  it('is reported with the file in which it stands', async () => {
    expect(
      await wrongIn({
        'sluice.yaml': 'include: [b.yaml, a.yaml]\nprocess: { log_level: warm }\n',
        'a.yaml': 'director:\n  services:\n    - { tcp: 10.0.1.1:80, scheduler: wrrr, servers: [10.0.2.1] }\n',
        'b.yaml': 'director:\n  services: [{ udp: 10.0.1.1:80, mode: natt, servers: [10.0.2.1] }]\n',
      }),
    ).toEqual([
      'a.yaml:3:38: director.services[1].scheduler is not one of the known words: "wrrr" (did you mean wrr?)',
      'b.yaml:2:40: director.services[0].mode is not one of the known words: "natt" (did you mean nat?)',
      'sluice.yaml:2:23: process.log_level is not one of the known words: "warm" (did you mean warn?)',
    ]);
  });

  it('names both places where a scalar is said twice', async () => {
    expect(
      await wrongIn({
        'sluice.yaml': 'include: [a.yaml]\nprocess: { log_level: warn }\n',
        'a.yaml': 'process:\n  log_level: warn\n',
      }),
    ).toEqual(['a.yaml:2:3: process.log_level is said twice (say it once: it stands at sluice.yaml:2:12 too)']);
  });

  it('names both places where an entry of a map of names is said twice, whatever it says', async () => {
    expect(
      await wrongIn({
        'sluice.yaml': 'include: [a.yaml, b.yaml]\n',
        'a.yaml': 'director: { pools: { local: [10.0.3.0/28] } }\n',
        'b.yaml': 'director:\n  pools:\n    local: [10.0.4.0/28]\n',
      }),
    ).toEqual(['b.yaml:3:5: director.pools.local is said twice (say it once: it stands at a.yaml:1:22 too)']);
  });

  it('names both places where one file has a list and the other a map', async () => {
    expect(
      await wrongIn({
        'sluice.yaml': 'include: [a.yaml]\ndirector: { services: [] }\n',
        'a.yaml': 'director: { services: {} }\n',
      }),
    ).toEqual(['a.yaml:1:13: director.services is said twice (say it once: it stands at sluice.yaml:2:13 too)']);
  });

  it('names both places where a service is said twice', async () => {
    expect(
      await wrongIn({
        'sluice.yaml': 'include: [a.yaml, b.yaml]\n',
        'a.yaml': `director: { services: [${service('10.0.1.1')}] }\n`,
        'b.yaml': `director: { services: [${service('10.0.1.1')}] }\n`,
      }),
    ).toEqual([expect.stringMatching(/^b\.yaml:1:24: .*a\.yaml:1:24/)]);
  });

  it.each<[string, Record<string, string>, string[]]>([
    [
      'a file that is not there',
      { 'sluice.yaml': 'include:\n  - none.yaml\n' },
      ['sluice.yaml:2:5: cannot include none.yaml: there is no such file: "none.yaml"'],
    ],
    [
      'a file that includes itself',
      { 'sluice.yaml': 'include: ["*.yaml"]\n' },
      [
        'sluice.yaml:1:11: the file includes itself: "sluice.yaml" (put the files that are included into a folder of their own)',
      ],
    ],
    [
      'files that include each other',
      { 'sluice.yaml': 'include: [a.yaml]\n', 'a.yaml': 'include: [b.yaml]\n', 'b.yaml': '\ninclude: [a.yaml]\n' },
      ['b.yaml:2:11: the file includes itself: "a.yaml" (put the files that are included into a folder of their own)'],
    ],
    [
      'a list in an included file',
      { 'sluice.yaml': 'include: [a.yaml]\n', 'a.yaml': '- director\n' },
      ['a.yaml:1:1: an included document must be a map (write sections as in the main file)'],
    ],
    [
      'an absolute path',
      { 'sluice.yaml': 'include: [/etc/shadow]\n' },
      [
        'sluice.yaml:1:11: an include is an absolute path: "/etc/shadow" (write it relative to the folder of this file)',
      ],
    ],
    [
      'a pattern over folders',
      { 'sluice.yaml': 'include: ["**/a.yaml"]\n' },
      ['sluice.yaml:1:11: an include cannot cross folders by **: "**/a.yaml" (list a pattern for each folder)'],
    ],
    [
      'an include that is no list',
      { 'sluice.yaml': 'include: a.yaml\n' },
      ['sluice.yaml:1:10: include must be a list: "a.yaml" (such as ["services/*.yaml"])'],
    ],
    [
      'an include that is no text',
      { 'sluice.yaml': 'include: [a.yaml, 7]\n', 'a.yaml': '' },
      ['sluice.yaml:1:19: include[1] must be a text: 7 (put it in quotes: "7")'],
    ],
    [
      'an include in a section',
      { 'sluice.yaml': 'process: { include: [a.yaml] }\n' },
      [expect.stringContaining('sluice.yaml:1:12: process has no such key: "include"')],
    ],
  ])('is told where there is %s', async (_what, texts, wrong) => {
    expect(await wrongIn(texts)).toEqual(wrong);
  });

  it('is told where includes are nested too deeply', async () => {
    const chain = Array.from(
      { length: 20 },
      (_, index) => [`${index}.yaml`, `include: [${index + 1}.yaml]\n`] as const,
    );
    expect(await wrongIn({ 'sluice.yaml': 'include: [0.yaml]\n', ...Object.fromEntries(chain) })).toEqual([
      '6.yaml:1:11: includes are nested too deeply (nest at most 8 files)',
    ]);
  });

  it('is told once where all files together are too long', async () => {
    const comment = `# ${'x'.repeat(1 << 20)}\n`;
    const texts = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`a/${index}.yaml`, comment]));
    expect(await wrongIn({ 'sluice.yaml': 'include: [a/*.yaml]\n', ...texts })).toEqual([
      'sluice.yaml:1:11: the files of the document are too long (keep all of them below 8 MiB together)',
    ]);
  });

  it('is told once where there are too many files', async () => {
    const texts = Object.fromEntries(Array.from({ length: mostFiles }, (_, index) => [`a/${index}.yaml`, '']));
    expect(await wrongIn({ 'sluice.yaml': 'include: [a/*.yaml]\n', ...texts })).toEqual([
      `sluice.yaml:1:11: too many files are included (include at most ${mostFiles})`,
    ]);
  });

  it('is told once where aliases of many files stand for too much', async () => {
    const level = (index: number) =>
      `x${index}: &x${index} [${Array(10)
        .fill(`*x${index - 1}`)
        .join(', ')}]\n`;
    const bomb = `x0: &x0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n${[1, 2, 3, 4, 5].map(level).join('')}`;
    const texts = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`a/${index}.yaml`, bomb]));
    const begin = performance.now();
    expect(await wrongIn({ 'sluice.yaml': 'include: [a/*.yaml]\n', ...texts })).toEqual([
      'sluice.yaml:1:11: the aliases stand for too many values (write the values out, or use fewer aliases)',
    ]);
    expect(performance.now() - begin).toBeLessThan(20_000);
  });
});

describe('a document that is no file', () => {
  it.each([
    ['a text', () => documentFormat.parse('include: [a.yaml]\n', 'a text')],
    ['a value', () => documentFormat.from({ include: ['a.yaml'] })],
  ])('cannot include files: %s', (_what, read) => {
    expect(read).toThrow(/the document has no such key: "include" \(only a file can include others/);
  });
});
