// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonPath, addonShape, loadAddon } from '../../src/native/addon.ts';
import { runProgram } from './run-program.ts';

describe('a process with a live native thread', () => {
  it.each([
    { ending: 'return', status: 0, signal: null },
    { ending: 'stop', status: 0, signal: null },
    { ending: 'exit', status: 7, signal: null },
    { ending: 'throw', status: 1, signal: null },
    { ending: 'kill', status: null, signal: 'SIGTERM' },
  ])('ends as it should by: $ending', async ({ ending, status, signal }) => {
    const ended = await runProgram('beat', { arguments: [ending] });
    expect(ended).toMatchObject({ status, signal, stdout: 'beating\n' });
    if (ending === 'throw') expect(ended.stderr).toContain('Error: nobody catches this');
    else expect(ended.stderr).toBe('');
  });

  it('ends a thread whose writer was collected', async () => {
    expect(await runProgram('drop-writers')).toEqual({ status: 0, signal: null, stdout: 'quiet\n', stderr: '' });
  });
});

describe('workers with the addon and a native thread each', () => {
  it.each([
    { ending: 'return', status: 0 },
    { ending: 'exit', status: 5 },
    { ending: 'terminate', status: 1 },
  ])('leave the main thread at work when they end by: $ending', async ({ ending, status }) => {
    const { stdout, ...ended } = await runProgram('workers', { arguments: [ending] });
    expect(ended).toEqual({ status: 0, signal: null, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      said: ['beating', 'beating', 'beating'],
      statuses: [status, status, status],
    });
  });

  it("read the main thread's page", async () => {
    const { stdout, ...ended } = await runProgram('workers', { arguments: ['read'] });
    expect(ended).toEqual({ status: 0, signal: null, stderr: '' });
    expect(JSON.parse(stdout).said).toEqual(['main 42', 'main 42', 'main 42']);
  });
});

// Headers of Node-API, which come with the development dependencies.
const nodeHeaders = join(dirname(createRequire(import.meta.url).resolve('node-api-headers')), 'include');

describe('SLUICE_ADDON', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-addon-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const load = (path: string) => runProgram('load', { environment: { SLUICE_ADDON: path } });

  it('chooses the file that is loaded', async () => {
    const elsewhere = join(folder, 'elsewhere.node');
    copyFileSync(addonPath(), elsewhere);
    expect(await load(elsewhere)).toEqual({ status: 0, signal: null, stdout: '8\n', stderr: '' });
  });

  it('gives an error with the path and what to do when nothing is there', async () => {
    const { status, stdout } = await load(join(folder, 'nothing.node'));
    expect(status).toBe(1);
    const error = JSON.parse(stdout);
    expect(error.code).toBe('SLUICE_ADDON_MISSING');
    expect(error.message).toContain(join(folder, 'nothing.node'));
    expect(error.remedy).toMatch(/^correct or unset SLUICE_ADDON, or run `npm run build`/);
  });

  it('gives an error with the path and the reason when the file is no addon', async () => {
    const text = join(folder, 'text.node');
    writeFileSync(text, 'not a shared object');
    const { status, stdout } = await load(text);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: 'SLUICE_ADDON_UNLOADABLE', value: JSON.stringify(text) });
    expect(JSON.parse(stdout).message).toContain('file too short');
  });

  it('gives an error that names what is missing when the addon was built from other sources', async () => {
    const source = join(folder, 'other.c');
    const other = join(folder, 'other.node');
    writeFileSync(source, '#include <node_api.h>\nNAPI_MODULE_INIT() { (void)env; return exports; }\n');
    execFileSync('cc', ['-shared', '-fPIC', '-I', nodeHeaders, source, '-o', other]);
    const { status, stdout } = await load(other);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'SLUICE_ADDON_OUTDATED',
      problem: `the native module lacks ${Object.keys(addonShape).join(', ')}`,
      value: JSON.stringify(other),
    });
  });
});

// Wrong arguments, as a mistake in TypeScript would pass them. None of them may end the process.
describe('the native statistics writer', () => {
  const { statisticsLayout: layout, StatisticsWriter } = loadAddon();
  const shared = (words: number) => new BigUint64Array(new SharedArrayBuffer(words * 8));
  const call = (target: unknown, receiver: unknown, ...values: readonly unknown[]): unknown =>
    Reflect.apply(target as () => unknown, receiver, values);
  const construct = (...values: readonly unknown[]): unknown => Reflect.construct(StatisticsWriter, values);

  it.each([
    ['nothing', [], TypeError],
    ['null', [null], TypeError],
    ['a number', [layout.size], TypeError],
    ['a SharedArrayBuffer itself', [shared(layout.size).buffer], TypeError],
    ['an array of another type', [new Float64Array(shared(layout.size).buffer)], TypeError],
    ['a signed array', [new BigInt64Array(shared(layout.size).buffer)], TypeError],
    ['a DataView', [new DataView(shared(layout.size).buffer)], TypeError],
    ['an array over an ordinary ArrayBuffer', [new BigUint64Array(layout.size)], TypeError],
    ['an array of no words', [shared(0)], RangeError],
    ['an array that is a word too small', [shared(layout.size - 1)], RangeError],
    ['a view that is too small of a page', [shared(layout.size).subarray(1)], RangeError],
    ['an object that looks like an array', [Object.create(shared(layout.size))], TypeError],
    ['a proxy of an array', [new Proxy(shared(layout.size), {})], TypeError],
  ])('refuses %s as its memory', (_what, values, type) => {
    expect(() => construct(...values)).toThrow(type);
  });

  it('refuses memory that has a writer already', () => {
    const words = shared(layout.size);
    const first = new StatisticsWriter(words);
    expect(() => new StatisticsWriter(words)).toThrow('the page has a writer already');
    expect(first.claim('a')).toBe(0);
  });

  it('refuses to be called without new, and on what is no writer', () => {
    const { prototype } = StatisticsWriter;
    const writer = new StatisticsWriter(shared(layout.size));
    expect(() => call(StatisticsWriter, undefined, shared(layout.size))).toThrow(TypeError);
    expect(() => call(writer.claim, {}, 'a')).toThrow(TypeError);
    expect(() => call(writer.claim, undefined, 'a')).toThrow(TypeError);
    expect(() => call(writer.claim, Object.create(prototype), 'a')).toThrow(TypeError);
    expect(() => call(writer.startHeartbeat, Object.create(writer), 1)).toThrow(TypeError);
  });

  const misuses = [
    ['claim', [], TypeError],
    ['claim', [7], TypeError],
    ['claim', [Symbol('a')], TypeError],
    ['add', [], RangeError],
    ['add', ['0', 0, 1n], RangeError],
    ['add', [-1, 0, 1n], RangeError],
    ['add', [0.5, 0, 1n], RangeError],
    ['add', [Number.NaN, 0, 1n], RangeError],
    ['add', [2 ** 53, 0, 1n], RangeError],
    ['add', [1, 0, 1n], RangeError],
    ['add', [0, -1, 1n], RangeError],
    ['add', [0, 1_000, 1n], RangeError],
    ['add', [0, 0, 1], TypeError],
    ['add', [0, 0, -1n], TypeError],
    ['add', [0, 0, 2n ** 64n], TypeError],
    ['release', [], RangeError],
    ['release', [63], RangeError],
    ['release', [64], RangeError],
    ['startHeartbeat', [], RangeError],
    ['startHeartbeat', ['1'], RangeError],
    ['startHeartbeat', [0.5], RangeError],
    ['startHeartbeat', [Number.NaN], RangeError],
    ['startHeartbeat', [Number.POSITIVE_INFINITY], RangeError],
  ] as const;
  it.each(misuses.map(misuse => [misuse[0], misuse[1].map(String).join(', '), misuse] as const))(
    'refuses %s(%s)',
    (_method, _values, [method, values, type]) => {
      const words = shared(layout.size);
      const writer = new StatisticsWriter(words);
      expect(writer.claim('a')).toBe(0);
      const before = words.slice();
      expect(() => call(writer[method], writer, ...values)).toThrow(type);
      expect(words.slice()).toEqual(before);
    },
  );

  it('takes a release only once, and stops a heartbeat that does not beat', () => {
    const writer = new StatisticsWriter(shared(layout.size));
    expect(writer.claim('a')).toBe(0);
    writer.release(0);
    expect(() => writer.release(0)).toThrow(RangeError);
    writer.stopHeartbeat();
    writer.startHeartbeat(1);
    writer.startHeartbeat(2);
    writer.stopHeartbeat();
    writer.stopHeartbeat();
  });
});
