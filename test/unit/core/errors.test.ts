// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import {
  AddonError,
  CaptureError,
  ConfigError,
  errorCodes,
  formatPlace,
  LifecycleError,
  quoteValue,
  SluiceError,
  SystemError,
  serializeError,
  UsageError,
} from '../../../src/core/errors.ts';

describe('an error', () => {
  const place = { file: 'director.yaml', line: 12, column: 9 };
  const remedy = 'use 1 to 65535';

  it.each([
    {
      what: 'says where, what, which value and what to do',
      error: new ConfigError('SLUICE_CONFIG_INVALID', 'the port is out of range', { place, value: 70000, remedy }),
      message: 'director.yaml:12:9: the port is out of range: 70000 (use 1 to 65535)',
    },
    {
      what: 'leaves out what is not known',
      error: new ConfigError('SLUICE_CONFIG_SYNTAX', 'the document is empty'),
      message: 'the document is empty',
    },
    {
      what: 'quotes falsy values too',
      error: new UsageError('not a name', { value: '' }),
      message: 'not a name: ""',
    },
    {
      what: 'names the system call and errno',
      error: new SystemError('the socket cannot be bound', { errno: 98, syscall: 'bind', value: '[::1]:53' }),
      message: 'the socket cannot be bound: bind: EADDRINUSE, address already in use: "[::1]:53"',
    },
    {
      what: 'says at which byte a capture ends being readable',
      error: new CaptureError('SLUICE_CAPTURE_TRUNCATED', 'the last record is cut', {
        offset: 4096,
        place: { file: 'web.pcap' },
      }),
      message: 'web.pcap: at byte 4096: the last record is cut',
    },
    {
      what: 'tells how to get an addon',
      error: new AddonError('SLUICE_ADDON_MISSING', 'not there', { value: '/x.node', remedy: 'run `npm run build`' }),
      message: 'not there: "/x.node" (run `npm run build`)',
    },
  ])('$what', ({ error, message }) => {
    expect(error.message).toBe(message);
  });

  it('is an Error and a SluiceError with the name of its class and its code', () => {
    const error = new ConfigError('SLUICE_CONFIG_CONFLICT', 'two services of one address', { value: '192.0.2.1:80' });
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(SluiceError);
    expect(String(error)).toBe('ConfigError: two services of one address: "192.0.2.1:80"');
    expect(error.code).toBe('SLUICE_CONFIG_CONFLICT');
  });

  it('ends a command with 2 when the command was misused and with 1 otherwise', () => {
    expect(new UsageError('no such option').exitStatus).toBe(2);
    expect(new ConfigError('SLUICE_CONFIG_INVALID', 'bad').exitStatus).toBe(1);
  });

  it('serialises with all its fields and its causes', () => {
    const cause = new SystemError('cannot be opened', { errno: 2, syscall: 'open' });
    const error = new ConfigError('SLUICE_CONFIG_INVALID', 'no such zone file', { place, value: 'a.zone', cause });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'ConfigError',
      code: 'SLUICE_CONFIG_INVALID',
      message: 'director.yaml:12:9: no such zone file: "a.zone"',
      problem: 'no such zone file',
      value: '"a.zone"',
      place,
      cause: {
        name: 'SystemError',
        code: 'SLUICE_SYSTEM_CALL',
        message: 'cannot be opened: open: ENOENT, no such file or directory',
        problem: 'cannot be opened: open: ENOENT, no such file or directory',
        errno: 2,
        errnoName: 'ENOENT',
        syscall: 'open',
      },
    });
    expect(new CaptureError('SLUICE_CAPTURE_FORMAT', 'no magic', { offset: 0 }).toJSON().offset).toBe(0);
    const errors = [new Error('a'), 'b'];
    expect(new LifecycleError('SLUICE_LIFECYCLE_STOP', 'x', { errors }).toJSON().errors).toMatchObject([
      { name: 'Error', message: 'a' },
      { name: 'string', message: '"b"' },
    ]);
  });
});

describe('SystemError.from', () => {
  it("keeps errno and the call of an error of Node's", async () => {
    const { readFile } = await import('node:fs/promises');
    const original: unknown = await readFile('/nonexistent/zone').catch((error: unknown) => error);
    const error = SystemError.from(original, 'the zone cannot be read', { place: { file: 'a.zone' } });
    expect(error).toMatchObject({ errno: 2, errnoName: 'ENOENT', syscall: 'open', cause: original });
    expect(error.message).toBe('a.zone: the zone cannot be read: open: ENOENT, no such file or directory');
  });

  it.each([new TypeError('a defect'), 'a string', undefined])('rethrows what no system call threw: %s', other => {
    expect(() => SystemError.from(other, 'irrelevant')).toThrow(other instanceof Error ? other : undefined);
  });
});

describe('the list of codes', () => {
  it('has a meaning for every code, and codes of one form', () => {
    for (const [code, meaning] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^SLUICE(_[A-Z]+)+$/);
      expect(meaning).toMatch(/^(?:a|the|two|starting) .*[^.]$/);
    }
  });
});

describe('serializeError', () => {
  it('keeps the code of a foreign error and names values that are none', () => {
    const foreign = Object.assign(new Error('refused', { cause: 7 }), {
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
    });
    expect(serializeError(foreign)).toEqual({
      name: 'Error',
      code: 'ECONNREFUSED',
      message: 'refused',
      problem: 'refused',
      errno: -111,
      syscall: 'connect',
      cause: { name: 'number', code: 'UNKNOWN', message: '7', problem: '7' },
    });
    expect(serializeError(new TypeError('x')).code).toBe('UNKNOWN');
  });
});

describe('quoteValue', () => {
  it.each([
    [{ port: 80n }, '{"port":"80"}'],
    [80n, '80'],
    ['a\nb', '"a\\nb"'],
    [undefined, 'undefined'],
    [Symbol('s'), 'Symbol(s)'],
    [new Error('first\n  second'), 'first second'],
    ['x'.repeat(200), `"${'x'.repeat(119)}…`],
  ])('quotes %o', (value, text) => {
    expect(quoteValue(value)).toBe(text);
  });

  it('shortens a long value before it looks for line breaks, which would take hours', () => {
    expect(quoteValue(new Error(`${' '.repeat(5_000_000)}x`))).toBe(`${' '.repeat(120)}…`);
  });

  it('does not fail on a value that refers to itself', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(quoteValue(cycle)).toBe('<ref *1> { self: [Circular *1] }');
  });
});

describe('formatPlace', () => {
  it.each([
    [undefined, ''],
    [{}, ''],
    [{ file: 'a' }, 'a'],
    [{ file: 'a', line: 1 }, 'a:1'],
    [{ file: 'a', line: 1, column: 2 }, 'a:1:2'],
    [{ line: 1, column: 2 }, 'line 1:2'],
    [{ file: 'a', column: 2 }, 'a'],
  ])('writes %o as %j', (place, text) => {
    expect(formatPlace(place)).toBe(text);
  });
});
