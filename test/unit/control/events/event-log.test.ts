// SPDX-License-Identifier: Apache-2.0
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventLog } from '../../../../src/control/events/event-log.ts';
import { PlaneEvents } from '../../../../src/control/events/plane-events.ts';
import { ProcessEvents } from '../../../../src/control/events/process-events.ts';
import { endedEvent, startedEvent } from '../../../../src/control/events/run-events.ts';
import type { ApiClient } from '../../../../src/core/api/client.ts';
import { VirtualClock } from '../../../../src/core/clock.ts';
import type { EventFacts } from '../../../../src/core/events/event.ts';
import { createLogger } from '../../../../src/core/logger.ts';

const logger = createLogger({ level: 'silent' });
const happened = (kind: string): EventFacts => ({ kind, severity: 'info', subject: 'it', text: `it: ${kind}` });

let folder = '';
let clock = new VirtualClock(0);
beforeEach(() => {
  clock = new VirtualClock(Date.parse('2026-01-31T12:00:00Z'));
  folder = mkdtempSync(join(tmpdir(), 'sluice-events-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const begin = (options: { path?: string; mostKept?: number } = {}) =>
  EventLog.open({
    folder: { path: options.path ?? folder, shown: '/state' },
    ...{ clock, logger },
    ...(options.mostKept === undefined ? {} : { mostKept: options.mostKept }),
  });
const onDisk = (name: string): string => readFileSync(join(folder, name), 'utf8');
const at = (second: number): string => `2026-01-31T12:00:0${second}.000Z`;
const kinds = (log: EventLog): string[] => log.events.map(({ number, kind }) => `${number} ${kind}`);

describe('events on disk', () => {
  it('are there for the next process of control, whose numbers go on', async () => {
    const first = await begin();
    first.tell(happened('a.one'));
    first.take('health', 'p1', [{ number: 7, at: '2026-01-31T11:59:59.000Z', ...happened('a.two') }]);
    await first.close();
    const second = await begin();
    second.tell(happened('a.three'));
    expect(kinds(second)).toEqual(['1 a.one', '2 a.two', '3 a.three']);
    expect(second.events[1]).toEqual({
      ...{ number: 2, at: '2026-01-31T11:59:59.000Z', ...happened('a.two') },
      source: { plane: 'health', instance: 'p1', number: 7 },
    });
    await second.close();
  });

  it('are read around lines that are damaged, or torn by a crash, and go on after them', async () => {
    const first = await begin();
    for (const kind of ['a', 'b', 'c']) first.tell(happened(kind));
    await first.close();
    const file = join(folder, 'events.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"kind":"b"', '"kind":"B"'));
    appendFileSync(file, '0123456789abcdef {"number":4,"at":"20');
    const second = await begin();
    expect(kinds(second)).toEqual(['1 a', '3 c']);
    second.tell(happened('d'));
    await second.close();
    expect(kinds(await begin())).toEqual(['1 a', '3 c', '4 d']);
  });

  it('begin a new file when one has so many lines, and leave one before it', async () => {
    const log = await begin({ mostKept: 10 });
    for (let i = 1; i <= 35; i++) {
      log.tell(happened(`kind-${i}`));
      await vi.waitFor(() => expect(onDisk('events.jsonl')).toContain(`"kind-${i}"`), { interval: 1 });
    }
    await log.close();
    expect(['events.old.jsonl', 'events.jsonl'].map(name => onDisk(name).trim().split('\n').length)).toEqual([10, 5]);
    const next = await begin({ mostKept: 10 });
    expect(next.last).toBe(35);
    expect(kinds(next)).toHaveLength(10);
  });

  it('wait in memory while the disk refuses, which an event says, and are written when it takes them', async () => {
    const path = join(folder, 'later');
    const log = await begin({ path });
    log.tell(happened('a'));
    await vi.waitFor(() => expect(log.failure).toBeDefined());
    expect(log.failure).toMatch(/^events cannot be written to \/state: they are lost when control ends \(ENOENT/);
    expect(kinds(log)).toEqual(['1 a', '2 events.unsaved']);
    log.tell(happened('b'));
    mkdirSync(path);
    await clock.advance(5000);
    await vi.waitFor(() => expect(log.failure).toBeUndefined());
    expect(kinds(log)).toEqual(['1 a', '2 events.unsaved', '3 b', '4 events.saved']);
    await log.close();
    expect(kinds(await begin({ path }))).toEqual(kinds(log));
  });
});

describe('files of events', () => {
  const saved = (kind: string) =>
    vi.waitFor(() => expect(onDisk('events.jsonl')).toContain(`"${kind}"`), { interval: 1 });

  it('that somebody removes begin anew', async () => {
    const log = await begin({ mostKept: 2 });
    for (const kind of ['a', 'b']) {
      log.tell(happened(kind));
      await saved(kind);
    }
    rmSync(join(folder, 'events.jsonl'));
    log.tell(happened('c'));
    await saved('c');
    expect(log.failure).toBeUndefined();
    await log.close();
  });

  it('that cannot be read are moved aside, and the new ones are read by the next process', async () => {
    const first = await begin();
    for (const kind of ['a', 'b']) first.tell(happened(kind));
    await first.close();
    mkdirSync(join(folder, 'events.old.jsonl'));
    const second = await begin();
    second.tell(happened('c'));
    await second.close();
    expect(kinds(await begin())).toEqual(['1 c']);
    expect(readdirSync(folder).sort()).toEqual([
      'events.jsonl',
      'events.unread-2026-01-31T12:00:00.000Z-events.jsonl',
      'events.unread-2026-01-31T12:00:00.000Z-events.old.jsonl',
    ]);
    expect(onDisk('events.unread-2026-01-31T12:00:00.000Z-events.jsonl')).toContain('"kind":"b"');
  });

  it('keep nothing of an attempt that failed half way', async () => {
    const log = await begin();
    log.tell(happened('a'));
    await saved('a');
    const before = onDisk('events.jsonl');
    const probe = await open(join(folder, 'events.jsonl'));
    const failing = vi.spyOn(Object.getPrototypeOf(probe), 'appendFile').mockImplementationOnce(async function (
      this: typeof probe,
      text: unknown,
    ) {
      await this.write(String(text).slice(0, 30));
      throw new Error('no space left');
    });
    await probe.close();
    log.tell(happened('b'));
    await vi.waitFor(() => expect(log.failure).toContain('no space left'));
    failing.mockRestore();
    expect(onDisk('events.jsonl')).toBe(before);
    await clock.advance(5000);
    await saved('b');
    await log.close();
    expect(kinds(await begin())).toEqual(kinds(log));
  });
});

it('strings of an event are cut', async () => {
  const log = await begin();
  const long = 'x'.repeat(501);
  log.tell({ ...happened('a'), text: long, fields: { reason: long, changes: ['short', long], count: 7 } });
  const short = `${'x'.repeat(499)}…`;
  expect(log.events[0]).toMatchObject({ text: short, fields: { reason: short, changes: ['short', short], count: 7 } });
  await log.close();
});

describe('a plane', () => {
  const told = (number: number, at: string) => ({ number, at, ...happened(`plane.${number}`) });

  it('is asked again after a restart of control: events that were told and are not kept any more are left out', async () => {
    const first = await begin({ mostKept: 2 });
    first.take('health', 'p1', [told(1, '2026-01-31T11:00:00.000Z')]);
    for (const kind of ['a', 'b', 'c']) first.tell(happened(kind));
    await first.close();
    const log = await begin({ mostKept: 2 });
    const asked: unknown[] = [];
    const answers = [[told(1, '2026-01-31T11:00:00.000Z'), told(2, '2026-01-31T12:00:01.000Z')], [told(3, at(0))]];
    const client = {
      call: async (_route: unknown, parameters: unknown) => {
        asked.push(parameters);
        const events = answers.shift();
        if (events !== undefined) return { instance: 'p1', last: events.at(-1)?.number, missed: 0, events };
        planeEvents.stop();
        throw new Error('the end');
      },
    } as unknown as ApiClient;
    const planeEvents = new PlaneEvents({ plane: 'health', client, log, clock });
    await planeEvents.run();
    expect(asked).toEqual([{}, { instance: 'p1', after: 2 }, { instance: 'p1', after: 3 }]);
    expect(kinds(log)).not.toContain('5 plane.1');
    expect(kinds(log).slice(-2)).toEqual(['5 plane.2', '6 plane.3']);
    await log.close();
  });
});

describe('a reader', () => {
  it('gets the kinds, the time and the number that it wants', async () => {
    const log = await begin();
    log.tell(happened('server.down'));
    await clock.advance(60_000);
    for (const kind of ['serverless', 'quorum.lost', 'server.up']) log.tell(happened(kind));
    const selected = (wanted: Parameters<EventLog['select']>[0]) => log.select(wanted).events.map(({ kind }) => kind);
    expect(selected({ kind: ['server'] })).toEqual(['server.down', 'server.up']);
    expect(selected({ kind: ['server.up', 'quorum'] })).toEqual(['quorum.lost', 'server.up']);
    expect(selected({ since: '2026-01-31T12:00:30Z' })).toEqual(['serverless', 'quorum.lost', 'server.up']);
    expect(selected({ most: 1 })).toEqual(['server.up']);
    expect(selected({ after: 3 })).toEqual(['server.up']);
    expect(selected({ after: 99 }), 'numbers have begun again').toHaveLength(4);
    await log.close();
  });

  it('that follows gets what was and what comes, and learns what it has missed', async () => {
    const log = await begin({ mostKept: 4 });
    log.tell(happened('a'));
    const ending = new AbortController();
    const reader = log.follow({}, ending.signal);
    expect((await reader.next()).value).toMatchObject({ number: 1 });
    const next = reader.next();
    log.tell(happened('b'));
    expect((await next).value).toMatchObject({ number: 2, kind: 'b' });
    for (let i = 0; i < 7; i++) log.tell(happened('c'));
    const lost = (await reader.next()).value;
    expect(lost).toEqual({ missed: 1 });
    expect((await reader.next()).value).toMatchObject({ number: 4 });
    ending.abort();
    for await (const event of reader) expect(event).toMatchObject({ kind: 'c' });
    await log.close();
  });
});

describe('processes', () => {
  const health = { name: 'health', user: 'nobody', restarts: 0 } as const;
  const crashed = { ...health, restarts: 1, lastError: { at: at(1), message: 'process 7 ended by SIGKILL' } };

  it('a crash is told once, with its own time, and the start after it', async () => {
    const log = await begin();
    const events = new ProcessEvents(log);
    events.take([{ ...health, state: 'running', pid: 7 }]);
    events.take([{ ...crashed, state: 'starting', pid: 8 }]);
    events.take([{ ...crashed, state: 'running', pid: 8 }]);
    new ProcessEvents(log).take([{ ...crashed, state: 'running', pid: 8 }]);
    expect(log.events.map(({ at, text }) => `${at} ${text}`)).toEqual([
      `${at(1)} health crashed: process 7 ended by SIGKILL`,
      `${at(0)} health works again, as process 8`,
    ]);
    await log.close();
  });

  it('a crash whose event is not kept any more is not told again, by the same control or the next', async () => {
    const log = await begin({ mostKept: 2 });
    const events = new ProcessEvents(log);
    const row = { ...crashed, state: 'running', pid: 8 } as const;
    events.take([row]);
    await clock.advance(5000);
    for (let i = 0; i < 4; i++) log.tell(happened('a'));
    const before = log.last;
    events.take([row]);
    await log.close();
    const next = await begin({ mostKept: 2 });
    new ProcessEvents(next).take([row]);
    expect(next.last).toBe(before);
    new ProcessEvents(next).take([{ ...row, lastError: { at: at(9), message: 'again' } }]);
    expect(kinds(next).slice(-2)).toEqual([`${before + 1} process.crashed`, `${before + 2} process.started-again`]);
    await next.close();
  });

  it('a run that did not end in good order is told by the next', async () => {
    const log = await begin();
    const start = (): string => {
      log.tell(startedEvent(log.events));
      return log.events.at(-1)?.severity ?? '';
    };
    expect([start(), start()]).toEqual(['info', 'warning']);
    log.tell(endedEvent);
    expect(start()).toBe('info');
    await log.close();
  });
});
