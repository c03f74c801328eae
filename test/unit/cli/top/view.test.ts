// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it, vi } from 'vitest';
import { listings } from '../../../../src/cli/top/listing.ts';
import { afterKey, startState, type TopState } from '../../../../src/cli/top/state.ts';
import { linesOf, pageRowsOf, type Screen, type Shown, shownRows } from '../../../../src/cli/top/view.ts';
import { connection, ratesOf } from './measured.ts';

const rules = `-A -t [2001:db8:1111:2222:3333:4444:5555:6666]:80 -s rr
-A -t 10.0.1.100:80 -s wlc
-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m
-a -t 10.0.1.100:80 -r 10.0.2.12:8080 -m -w 0
`;
const rates = ratesOf(rules, { '10.0.2.11:8080': { open: 4 }, 'tcp 10.0.1.100:80': { opened: 50 } });
const usual: Screen = { columns: 80, rows: 10 };

const press = (keys: readonly string[], shown: Shown, screen = usual): TopState =>
  keys.reduce<TopState>(
    (state, key) => afterKey(state, key, shownRows(state, shown), pageRowsOf(screen, shown)),
    startState,
  );
const screenOf = (keys: readonly string[], shown: Shown, screen = usual): string[] =>
  linesOf(press(keys, shown, screen), shown, screen).map(({ text }) => text.trimEnd());

describe('the screen', () => {
  it('shows services, with what differs in a long name', () => {
    expect(screenOf([], { rates })).toEqual([
      'sluice top   2 services   every 1 s',
      'awake 15.0 %, most 20.0 %  in 2.00k pkt/s 128k B/s  out 2.00k pkt/s 128k B/s',
      'service                         ↓conns   down  new/s in p/s    out in B/s    out',
      'tcp 10.0.1.100:80 wlc                4      1     50    500      0      0      0',
      'tcp [2001:db8:1…555:6666]:80 rr      0      0      0      0      0      0      0',
      '',
      '',
      '',
      '',
      'q quit  Enter servers  s sort  r reverse  / filter  space pause  h help',
    ]);
  });

  it('shows the servers of a service, and the connections of a server', () => {
    const shown = { rates, connections: [connection('10.0.9.1'), connection('2001:db8::9', 'SYN_RECV', 2.5)] };
    const [title, , ...lines] = screenOf(['enter'], shown);
    expect(title).toBe('sluice top > tcp 10.0.1.100:80   2 servers   every 1 s');
    expect(lines.slice(0, 3)).toEqual([
      'server                          ↓conns weight  new/s in p/s    out in B/s    out',
      '10.0.2.11:8080 nat                   4      1      0      0      0      0      0',
      '10.0.2.12:8080 nat                   0      0      0      0      0      0      0',
    ]);
    const [below, , ...connections] = screenOf(['enter', 'enter', '>'], shown);
    expect(below).toBe('sluice top > tcp 10.0.1.100:80 > 10.0.2.11:8080   2 connections   every 1 s');
    expect(connections.slice(0, 3)).toEqual([
      'client                                        state   ends                   ↓to',
      '10.0.9.1:1024                           ESTABLISHED   60 s         10.0.1.100:80',
      '[2001:db8::9]:1024                         SYN_RECV    3 s         10.0.1.100:80',
    ]);
  });

  it('says that there are more connections than it shows', () => {
    const connections = Array.from({ length: 500 }, (_, index) => connection(`10.0.${index >> 8}.${index & 255}`));
    expect(screenOf(['enter', 'enter'], { rates, connections })[0]).toContain('the first 500 connections');
  });

  it('shows workers, and packets by reason', () => {
    expect(screenOf(['p'], { rates }).slice(2, 5)).toEqual([
      'packets                                                            ↓pkt/s so far',
      'forward established                                                   500  1.00k',
      'drop    no-route                                                        0      3',
    ]);
    expect(screenOf(['w'], { rates })[3]).toBe(
      'worker 1                                      20.0 %  1.00k  1.00k  64.0k  64.0k',
    );
  });

  it('marks the column that sorts, the filter, the pause and the selected row', () => {
    const screen = screenOf([...'/wlc', 'enter', '<', 'r', ' ', '+'], { rates });
    expect(screen[0]).toBe('sluice top   1 service   with "wlc"   paused');
    expect(screen[2]?.slice(0, 12)).toBe('service ↑   ');
    expect(screen.at(-1)).toContain('Esc removes the filter');
    const lines = linesOf(press(['down'], { rates }), { rates }, usual);
    expect(lines.filter(({ style }) => style === 'selected').map(({ text }) => text.slice(0, 8))).toEqual(['tcp [200']);
    expect(screenOf([...'/wl'], { rates }).at(-1)).toMatch(/^\/wl_/);
  });

  it('shows the keys', () => {
    const screen = screenOf(['h'], { rates }, { columns: 100, rows: 24 });
    expect(screen).toContain('q, Ctrl-C        quit');
    expect(screen.at(-1)).toBe('any key goes back');
  });

  it('shows why nothing can be measured above what was measured last, without control characters', () => {
    const screen = screenOf([], { rates, failure: 'no sluice \x1b[2J answers' });
    expect(screen[2]).toBe('! no sluice  [2J answers; trying again');
    expect(screen[4]).toContain('10.0.1.100');
    expect(screen).toHaveLength(usual.rows);
  });

  it.each([
    [[], {}, 'measuring'],
    [[], { rates: ratesOf('') }, 'there are no services'],
    [[...'/zz'], { rates }, 'no services have "zz" in their names'],
    [['enter', 'enter'], { rates }, 'asking for connections'],
    [['enter', 'enter'], { rates, connections: [] }, 'there are no connections'],
  ])('after %j without rows says why (case %#)', (keys, shown, text) => {
    expect(screenOf(keys, shown)[3]).toBe(text);
  });

  it('says that the service that was shown is gone', () => {
    const state = press(['enter'], { rates });
    const lines = linesOf(state, { rates: ratesOf('') }, usual);
    expect(lines[3]?.text).toBe('there is no service tcp 10.0.1.100:80 any more');
  });

  it.each([
    { columns: 1, rows: 1 },
    { columns: 10, rows: 3 },
    { columns: 40, rows: 7 },
    { columns: 79, rows: 8 },
    { columns: 300, rows: 100 },
  ])('fits into %j', screen => {
    const connections = [connection('2001:db8:1111:2222:3333:4444:5555:6666')];
    const failure = 'x'.repeat(200);
    const keys = [[], ['enter'], ['enter', 'enter'], ['p'], ['w'], ['h'], ['/', 'x']];
    for (const shown of [{}, { rates }, { rates, connections, failure }]) {
      for (const pressed of keys) {
        const lines = linesOf(press(pressed, shown, screen), shown, screen);
        expect(lines.length).toBeLessThanOrEqual(screen.rows);
        for (const { text } of lines) expect(text.length).toBeLessThanOrEqual(screen.columns);
      }
    }
  });

  it('gives up columns, the last first, before the name gets too narrow', () => {
    expect(screenOf([], { rates }, { columns: 45, rows: 10 })[2]).toBe('service                         ↓conns   down');
    expect(screenOf([], { rates }, { columns: 20, rows: 10 })[3]).toBe('tcp 10.0.1…00:80 wlc');
  });

  it('turns pages', () => {
    const many = Array.from({ length: 30 }, (_, index) => `-A -t 10.0.0.${index + 1}:80 -s rr\n`).join('');
    const shown = { rates: ratesOf(many) };
    const screen = screenOf(['<', 'page-down', 'down'], shown);
    expect(screen[3]?.slice(0, 14)).toBe('tcp 10.0.0.7:8');
    expect(linesOf(press(['<', 'page-down', 'down'], shown), shown, usual)[4]?.style).toBe('selected');
  });
});

it('formats only rows that fit, of ten thousand services', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `-A -t 10.0.${index >> 8}.${index & 255}:80 -s rr\n`).join(
    '',
  );
  const shown = { rates: ratesOf(many) };
  const [column] = listings.services.columns;
  const format = vi.spyOn(column as NonNullable<typeof column>, 'format');
  const lines = linesOf(press(['<', 'end'], shown), shown, usual);
  expect(lines.find(({ style }) => style === 'selected')?.text).toMatch(/^tcp 10\.0\.39\.15:80 rr /);
  expect(format.mock.calls.length).toBeLessThanOrEqual(usual.rows);
});
