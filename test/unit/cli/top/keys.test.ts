// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { KeyReader } from '../../../../src/cli/top/keys.ts';

describe('keys of a terminal', () => {
  it.each([
    ['qj/', ['q', 'j', '/']],
    ['\x1b[A\x1b[B', ['up', 'down']],
    ['\x1bOA\x1bOF', ['up', 'end']],
    ['\x1b[5~\x1b[6~\x1b[1~', ['page-up', 'page-down', 'home']],
    ['\r\x7f\b\x03', ['enter', 'backspace', 'backspace', 'ctrl-c']],
    // Keys that nothing is done with: F5, Delete, Ctrl-Up, letters beyond ASCII, and the end of input of script(1).
    ['\x1b[15~\x1b[3~\x1b[1;5Aä\x04', []],
    ['\x1bq', ['escape', 'q']],
    ['\x1b\x1b[A', ['escape', 'up']],
  ])('%j is %j', (bytes, keys) => {
    const reader = new KeyReader();
    expect(reader.read(bytes)).toEqual(keys);
    expect(reader.isWaiting).toBe(false);
  });

  it('may arrive in parts', () => {
    const reader = new KeyReader();
    expect(['\x1b', '[', '6', '~'].map(part => reader.read(part))).toEqual([[], [], [], ['page-down']]);
  });

  it('are Escape when nothing follows its byte', () => {
    const reader = new KeyReader();
    expect(reader.read('a\x1b')).toEqual(['a']);
    expect(reader.isWaiting).toBe(true);
    expect(reader.flush()).toEqual(['escape']);
    expect(reader.flush()).toEqual([]);
  });

  it('are nothing when a sequence breaks off', () => {
    const reader = new KeyReader();
    expect(reader.read('\x1b[1')).toEqual([]);
    expect(reader.flush()).toEqual([]);
    expect(reader.read('q')).toEqual(['q']);
  });
});
