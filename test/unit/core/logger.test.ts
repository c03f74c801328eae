// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/core/clock.ts';
import { ConfigError, UsageError } from '../../../src/core/errors.ts';
import { createLogger, type LoggerOptions, parseLogLevel } from '../../../src/core/logger.ts';

function loggerInto(options: LoggerOptions) {
  const lines: string[] = [];
  const clock = new VirtualClock(Date.UTC(2024, 1, 29, 12, 0, 0, 5));
  const logger = createLogger({ clock, stream: { write: line => void lines.push(line) }, ...options });
  return { lines, logger };
}

const broken = new ConfigError('SLUICE_CONFIG_INVALID', 'the weight is negative', {
  place: { file: 'director.yaml', line: 3, column: 7 },
  value: -1,
  remedy: 'use 0 or more',
});

describe('the logger for machines', () => {
  it('writes a line of JSON with level, time, process and area', () => {
    const { lines, logger } = loggerInto({ pretty: false });
    logger.child({ area: 'director' }).info({ service: '192.0.2.1:80' }, 'service added');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines.join(''))).toEqual({
      level: 'info',
      time: '2024-02-29T12:00:00.005Z',
      pid: process.pid,
      area: 'director',
      service: '192.0.2.1:80',
      msg: 'service added',
    });
  });

  it('keeps code, place and remedy of an error, without a stack', () => {
    const { lines, logger } = loggerInto({ pretty: false });
    logger.error({ err: broken }, 'not applied');
    expect(JSON.parse(lines.join('')).err).toEqual({
      name: 'ConfigError',
      code: 'SLUICE_CONFIG_INVALID',
      message: 'director.yaml:3:7: the weight is negative: -1 (use 0 or more)',
      problem: 'the weight is negative',
      value: '-1',
      place: { file: 'director.yaml', line: 3, column: 7 },
      remedy: 'use 0 or more',
    });
  });

  it('adds the stack of an unexpected error', () => {
    const { lines, logger } = loggerInto({ pretty: false });
    const error = new TypeError('undefined is not a function');
    logger.error({ err: error }, 'defect');
    expect(JSON.parse(lines.join('')).err).toMatchObject({ name: 'TypeError', code: 'UNKNOWN', stack: error.stack });
  });

  it.each([
    { level: 'warn', written: ['warn', 'error', 'fatal'] },
    { level: 'trace', written: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] },
    { level: 'silent', written: [] },
  ] as const)('writes nothing below its level: $level', ({ level, written }) => {
    const { lines, logger } = loggerInto({ pretty: false, level });
    for (const each of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) logger[each]('here');
    expect(lines.map(line => JSON.parse(line).level)).toEqual(written);
  });
});

describe('the logger for people', () => {
  it('writes the area, the message and fields, and an error as one sentence', () => {
    const { lines, logger } = loggerInto({ pretty: true });
    logger.child({ area: 'director' }).warn({ err: broken, service: '192.0.2.1:80' }, 'not applied');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    const text = lines.join('').replace(/\x1b\[\d+m/g, '');
    expect(text.replace(/^\[[\d:.]+\]/, '[time]')).toBe(
      [
        '[time] WARN: director: not applied',
        '    err: ConfigError SLUICE_CONFIG_INVALID: director.yaml:3:7: the weight is negative: -1 (use 0 or more)',
        '    service: "192.0.2.1:80"',
        '',
      ].join('\n'),
    );
  });

  it('shows the stack of an unexpected error', () => {
    const { lines, logger } = loggerInto({ pretty: true });
    logger.error({ err: new TypeError('undefined is not a function') }, 'defect');
    expect(lines.join('')).toContain('TypeError: undefined is not a function\n');
    expect(lines.join('')).toContain('logger.test.ts');
  });
});

describe('parseLogLevel', () => {
  it('knows the levels and refuses other words', () => {
    expect(parseLogLevel('debug')).toBe('debug');
    expect(parseLogLevel('silent')).toBe('silent');
    expect(() => parseLogLevel('loud')).toThrow(UsageError);
    expect(() => parseLogLevel('loud')).toThrow(
      'no such log level: "loud" (use one of trace, debug, info, warn, error, fatal, silent)',
    );
  });
});
