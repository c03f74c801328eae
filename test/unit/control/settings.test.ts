// SPDX-License-Identifier: Apache-2.0
// The settings of processes: in the document, and overridden by flags.
import { describe, expect, it } from 'vitest';
import { defaultProcessSettings, settingsOf } from '../../../src/control/settings.ts';
import { documentFormat } from '../../../src/daemon/document.ts';

describe('the settings of processes', () => {
  const snapshot = documentFormat.parse('process: { log_level: debug, user: sluice }\n');

  it('are those of the document, and the defaults for the rest', () => {
    expect(snapshot.process).toEqual({ logLevel: 'debug', socket: '/run/sluice.sock', user: 'sluice' });
    expect(settingsOf(snapshot, {})).toEqual(snapshot.process);
    expect(settingsOf(documentFormat.from({}), {})).toEqual(defaultProcessSettings);
  });

  it('are overridden by flags that were given, and by no other', () => {
    const flags = { logLevel: undefined, socket: '/run/other.sock', user: 'nobody' };
    expect(settingsOf(snapshot, flags)).toEqual({ logLevel: 'debug', socket: '/run/other.sock', user: 'nobody' });
    expect(snapshot.process.user).toBe('sluice');
  });

  it('are written as they were read, defaults left out', () => {
    expect(documentFormat.write(snapshot)).toEqual({ process: { log_level: 'debug', user: 'sluice' } });
    expect(documentFormat.from(documentFormat.write(snapshot)).id).toBe(snapshot.id);
    expect(documentFormat.write(documentFormat.from({ process: { log_level: 'info' } }))).toEqual({});
  });

  it('are compared one by one', () => {
    const changes = documentFormat.compare(snapshot, documentFormat.from({ process: { log_level: 'debug' } }));
    expect(documentFormat.describe(changes)).toEqual(['~ process user: sluice → nobody']);
  });

  it.each([
    [
      'process: { log_level: loud }',
      'a.yaml:1:23: process.log_level is not one of the known words: "loud" (use trace, debug, info, warn, error, fatal or silent)',
    ],
    [
      'process: { socket: sluice.sock }',
      'a.yaml:1:20: process.socket must be an absolute path: "sluice.sock" (such as /run/sluice.sock)',
    ],
    ['process: { user: 0 }', 'a.yaml:1:18: process.user must be the name of a user: 0 (put it in quotes: "0")'],
    [
      'process: { workers: 2 }',
      'a.yaml:1:12: process has no such key: "workers" (it is a setting of the director: director.workers)',
    ],
  ])('%s is refused', (text, message) => {
    expect(() => documentFormat.parse(text, 'a.yaml')).toThrow(message);
  });
});

describe('the threads of the director', () => {
  it('are one unless the document says more', () => {
    expect(documentFormat.from({}).director).toMatchObject({ workers: 1 });
    const { director } = documentFormat.parse('director: { workers: auto, stealing: clsact }');
    expect(director).toMatchObject({ workers: 'auto', stealing: 'clsact' });
  });

  it('are written as they were read, and compared', () => {
    const before = documentFormat.parse('director: { workers: 2 }');
    const after = documentFormat.parse('director: { workers: auto, stealing: tcx }');
    expect(documentFormat.write(after)).toEqual({ director: { workers: 'auto', stealing: 'tcx' } });
    expect(documentFormat.describe(documentFormat.compare(before, after))).toEqual([
      '~ workers: 2 → auto',
      '~ stealing: auto → tcx',
    ]);
  });

  it.each([
    ['director: { workers: 0 }', 'a.yaml:1:22: director.workers is out of range: 0 (use 1 to 1024 threads)'],
    [
      'director: { workers: atuo }',
      'a.yaml:1:22: director.workers is not one of the known words: "atuo" (did you mean auto?)',
    ],
    [
      'director: { stealing: ebpf }',
      'a.yaml:1:23: director.stealing is not one of the known words: "ebpf" (use tcx, clsact or nftables)',
    ],
    [
      'director: { workers: 2, stealing: nftables }',
      'a.yaml:1:35: director.stealing goes with one worker only, and there are 2: "nftables" (use workers: 1, or another way: a rule of nftables cannot choose a worker)',
    ],
  ])('%s is refused', (text, message) => {
    expect(() => documentFormat.parse(text, 'a.yaml')).toThrow(message);
  });
});

describe('the sections that are not empty', () => {
  it.each([
    ['{}', []],
    ['director: {}', []],
    ['director: { workers: 2 }', ['director']],
    ['process: { user: sluice }\ndirector: { services: [{ tcp: 10.0.1.1:80 }] }', ['director', 'process']],
  ])('of %s are %j', (text, present) => {
    expect(documentFormat.present(documentFormat.parse(text))).toEqual(present);
  });
});
