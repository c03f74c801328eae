// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/core/clock.ts';
import { type SluiceError, UnavailableError, UsageError } from '../../../src/core/errors.ts';
import { LogLimit } from '../../../src/core/log-limit.ts';
import { createLogger } from '../../../src/core/logger.ts';

function limited() {
  const clock = new VirtualClock(0);
  const limit = new LogLimit({ clock, periodMilliseconds: 1000, mostPassing: 3, mostReasons: 2 });
  const told: string[] = [];
  const passing = (reason: string, lines: number): number =>
    Array.from({ length: lines }, () => limit.passes('warn', reason, count => told.push(`${reason} ${count}`))).filter(
      passes => passes,
    ).length;
  return { clock, told, passing };
}

describe('a limit of the log', () => {
  it('passes a few lines of a reason each period, and then says how many were left out', async () => {
    const { clock, told, passing } = limited();
    expect(passing('a', 10)).toBe(3);
    await clock.advance(999);
    expect([passing('a', 1), told]).toEqual([0, []]);
    await clock.advance(1);
    expect(told).toEqual(['a 8']);
    expect(passing('a', 4)).toBe(3);
  });

  it('says nothing after a period in which all lines have passed', async () => {
    const { clock, told, passing } = limited();
    expect(passing('a', 3)).toBe(3);
    await clock.advance(5000);
    expect(told).toEqual([]);
  });

  it('counts each reason by itself, and those that are too many together', async () => {
    const { clock, told, passing } = limited();
    expect([passing('a', 10), passing('b', 2), passing('c', 2), passing('d', 10)]).toEqual([3, 2, 2, 1]);
    await clock.advance(1000);
    expect(told).toEqual(['a 7', 'd 9']);
  });
});

describe('the logger', () => {
  function logging() {
    const lines: { msg: string; leftOut?: number; area?: string }[] = [];
    const clock = new VirtualClock(0);
    const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
    return { clock, lines, logger: createLogger({ clock, pretty: false, level: 'debug', stream }) };
  }

  it('leaves out what is said again and again, whatever the values, and says it at the same level and area', async () => {
    const { clock, lines, logger } = logging();
    const area = logger.child({ area: 'health' });
    for (let i = 0; i < 25; i++) area.warn({ err: new UsageError('no such weight', { value: i }), i }, 'not applied');
    expect(lines).toHaveLength(10);
    await clock.advance(10_000);
    expect(lines.at(-1)).toEqual({
      ...{ level: 'warn', time: '1970-01-01T00:00:10.000Z', pid: process.pid, area: 'health', line: 'not applied' },
      ...{ leftOut: 15, msg: 'more lines like this one were left out' },
    });
  });

  it('leaves no error out because of another one', () => {
    const { lines, logger } = logging();
    const errors: (Error | SluiceError)[] = [
      ...[new UsageError('no such weight'), new UsageError('no such server'), new UnavailableError('no such weight')],
      ...[new TypeError('x is no function'), new TypeError('y is no function')],
    ];
    for (const err of errors) for (let i = 0; i < 12; i++) logger.error({ err }, 'not applied');
    for (let i = 0; i < 12; i++) logger.child({ area: 'other' }).error({ err: errors[0] }, 'not applied');
    expect(lines).toHaveLength(10 * (errors.length + 1));
  });

  it('leaves out no change of a server because of those of others', () => {
    const { lines, logger } = logging();
    for (let i = 0; i < 40; i++)
      logger.warn({ group: 'tcp 192.0.2.1:80', target: `10.0.2.${i}:80` }, 'the target is down');
    expect(lines).toHaveLength(40);
  });

  it('leaves out nothing of what was done, and nothing for who asks for details', () => {
    const { lines, logger } = logging();
    for (let i = 0; i < 50; i++) {
      logger.info({ snapshot: '1' }, 'configuration applied');
      logger.debug('a detail');
    }
    expect(lines).toHaveLength(100);
  });
});
