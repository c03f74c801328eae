// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Measured } from '../../../../src/cli/top/listing.ts';
import { afterKey, shownTable, startState, type TopState } from '../../../../src/cli/top/state.ts';
import { shownRows } from '../../../../src/cli/top/view.ts';
import { connection, ratesOf } from './measured.ts';

const rules = `-A -t 10.0.1.100:80 -s rr
-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m
-a -t 10.0.1.100:80 -r 10.0.2.12:8080 -m -w 0
-A -t 10.0.1.100:443 -s rr
-A -u 10.0.1.9:53 -s rr
`;
const [web, tls, dns] = ['tcp 10.0.1.100:80', 'tcp 10.0.1.100:443', 'udp 10.0.1.9:53'];
const measured: Measured = {
  rates: ratesOf(rules, { '10.0.2.11:8080': { open: 5 }, '10.0.2.12:8080': { open: 2 }, [tls]: { opened: 9 } }),
  connections: [connection('10.0.9.1', 'FIN_WAIT', 3), connection('10.0.9.2')],
};
const pageRows = 2;

const press = (keys: readonly string[], state: TopState = startState, of: Measured = measured): TopState =>
  keys.reduce((before, key) => afterKey(before, key, shownRows(before, of), pageRows), state);
const listed = (state: TopState): string[] => shownRows(state, measured).map(({ key }) => key);

describe('the order', () => {
  it('is by connections at first, and of equal rows as configured', () => {
    expect(listed(startState)).toEqual([web, tls, dns]);
  });

  it('is that of the column that s, > and < choose, round through the names', () => {
    expect(listed(press(['s', 's']))).toEqual([tls, web, dns]);
    expect(listed(press(['>', '>', '<']))).toEqual([web, tls, dns]);
    expect(shownTable(press(['<'])).column).toBe(-1);
    // Numbers in names count as numbers: 80 is before 443.
    expect(listed(press(['<']))).toEqual([web, tls, dns]);
    expect(shownTable(press(['<', '<'])).column).toBe(6);
    expect(shownTable(press(['<', '>'])).column).toBe(0);
  });

  it('turns round with r', () => {
    expect(listed(press(['<', 'r']))).toEqual([dns, tls, web]);
    expect(listed(press(['r', 'r']))).toEqual(listed(startState));
  });
});

describe('the selection', () => {
  it('moves within the rows, by arrows, letters and pages', () => {
    const placeAfter = (...keys: string[]) => shownTable(press(keys)).place;
    expect(placeAfter('down', 'j')).toBe(2);
    expect(placeAfter('down', 'down', 'down', 'down')).toBe(2);
    expect(placeAfter('down', 'k', 'up')).toBe(0);
    expect(placeAfter('page-down')).toBe(2);
    expect(placeAfter('end')).toBe(2);
    expect(placeAfter('end', 'page-up', 'home')).toBe(0);
  });

  it('follows its row when the order changes', () => {
    const state = press(['down', '<', 'r', 'down']);
    expect(shownTable(state).selected).toBe(web);
  });

  it('is at the same place when its row is gone', () => {
    const fewer: Measured = { rates: ratesOf(rules.replace(/-A -t 10.0.1.100:443.*\n/, '')) };
    const state = press(['enter'], press(['down']), fewer);
    expect(shownTable(state)).toMatchObject({ kind: 'servers', service: dns });
  });

  it('does nothing where there is no row', () => {
    const state = press(['down', 'up', 'end', 'enter', 'escape'], startState, {});
    expect(state).toEqual(startState);
  });
});

describe('Enter', () => {
  it('goes from a service to its servers and to the connections of a server, and Escape and Backspace come back', () => {
    const servers = press(['enter']);
    expect(shownTable(servers)).toMatchObject({ kind: 'servers', service: web });
    expect(listed(servers)).toEqual(['10.0.2.11:8080', '10.0.2.12:8080']);
    const connections = press(['down', 'enter'], servers);
    expect(shownTable(connections)).toMatchObject({ kind: 'connections', service: web, server: '10.0.2.12:8080' });
    // The one that lasts longest comes first.
    expect(shownRows(connections, measured).map(({ name }) => name)).toEqual(['10.0.9.2:1024', '10.0.9.1:1024']);
    expect(press(['enter'], connections)).toBe(connections);
    expect(shownTable(press(['backspace'], connections))).toMatchObject({
      kind: 'servers',
      selected: '10.0.2.12:8080',
    });
    expect(shownTable(press(['escape', 'escape', 'escape'], connections))).toMatchObject({
      kind: 'services',
      selected: web,
    });
  });

  it('is not needed for packets and workers', () => {
    const packets = press(['enter', 'p']);
    expect(listed(packets)).toEqual(['established', 'no-route']);
    expect(listed(press(['w', 's'], packets))).toEqual(['worker 0', 'worker 1']);
    expect(shownTable(press(['w', 'escape'], packets))).toMatchObject({ kind: 'servers' });
    expect(press(['p'], packets)).toBe(packets);
  });
});

describe('the filter', () => {
  it('finds names while it is typed, also those of servers, in any case', () => {
    const state = press(['/', 'U', 'D', 'P']);
    expect(state.isTyping).toBe(true);
    expect(listed(state)).toEqual([dns]);
    expect(listed(press([...'/2.12']))).toEqual([web]);
    expect(listed(press([...'/q']))).toEqual([]);
  });

  it('stays after Enter, and goes with Escape', () => {
    const kept = press([...'/udp', 'enter']);
    expect(kept.isTyping).toBe(false);
    expect(shownTable(press(['enter'], kept))).toMatchObject({ service: dns, filter: '' });
    expect(press(['escape'], kept)).toEqual(startState);
    expect(press(['/', 'x', 'escape'])).toEqual(startState);
    expect(shownTable(press([...'/ux', 'backspace'])).filter).toBe('u');
  });

  it('takes no names of keys as text', () => {
    expect(shownTable(press(['/', 'ctrl-l', 'home'])).filter).toBe('');
  });
});

describe('other keys', () => {
  it('quit, pause, show the help and change the interval', () => {
    expect(press(['q']).hasEnded).toBe(true);
    expect(press(['/', 'ctrl-c']).hasEnded).toBe(true);
    expect(press([' ']).isPaused).toBe(true);
    expect(press([' ', ' ']).isPaused).toBe(false);
    expect(press(['?']).showsHelp).toBe(true);
    expect(press(['h', 'x'])).toEqual(startState);
    expect(press(['h', 'q']).hasEnded).toBe(true);
    expect(press(['+', '+']).seconds).toBe(5);
    expect(press(['-', '-', '-']).seconds).toBe(0.5);
    expect(press(Array(9).fill('+')).seconds).toBe(60);
  });

  it('do nothing', () => {
    expect(press(['x', 'ctrl-l'])).toBe(startState);
  });
});
