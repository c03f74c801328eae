// SPDX-License-Identifier: Apache-2.0
// What `sluice top` shows on a terminal, as a state that keys change.
//
// The tables form a trail: Enter adds the table of the selected row (services, servers, connections), Escape takes the last
// table away. Each table keeps its order, its filter and its selection. A selection follows its row when the order changes,
// until the row is gone; then the row at its place is selected. Nothing is selected on purpose before the first move, so the
// first row is, whichever it is.
import type { Key } from './keys.ts';
import { listings, type Row, type Subject } from './listing.ts';

export interface Table extends Subject {
  /** The column that sorts; -1 is the name. */
  readonly column: number;
  readonly isReversed: boolean;
  readonly filter: string;
  /** The key of the selected row; undefined before the first move. */
  readonly selected?: string;
  /** Where the selected row was. */
  readonly place: number;
}

export interface TopState {
  /** From the services to the table that is shown. */
  readonly trail: readonly [Table, ...Table[]];
  /** Keys are the text of the filter. */
  readonly isTyping: boolean;
  readonly isPaused: boolean;
  readonly showsHelp: boolean;
  /** Between two measurements. */
  readonly seconds: number;
  readonly hasEnded: boolean;
}

/** What `+` and `-` choose from. */
const intervals = [0.5, 1, 2, 5, 10, 30, 60] as const;

export const startState: TopState = {
  trail: [tableOf({ kind: 'services' })],
  isTyping: false,
  isPaused: false,
  showsHelp: false,
  seconds: 1,
  hasEnded: false,
};

function tableOf(subject: Subject): Table {
  return { ...subject, column: listings[subject.kind].sortedBy, isReversed: false, filter: '', place: 0 };
}

export function shownTable({ trail }: TopState): Table {
  return trail.at(-1) ?? trail[0];
}

const collator = new Intl.Collator('en', { numeric: true });

/** The rows that the filter leaves, sorted: the largest number first, texts from the first. */
export function orderedRows({ column, isReversed, filter }: Table, rows: readonly Row[]): Row[] {
  const text = filter.toLowerCase();
  const fits = ({ name, contains = [] }: Row) => [name, ...contains].some(each => each.toLowerCase().includes(text));
  const cellOf = ({ name, values }: Row) => values[column] ?? name;
  const sign = isReversed ? -1 : 1;
  return (text === '' ? rows : rows.filter(fits)).toSorted((a, b) => sign * order(cellOf(a), cellOf(b)));
}

function order(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? b - a : collator.compare(String(a), String(b));
}

/** The place of the selected row; -1 where there is none. */
export function selectedPlace({ selected, place }: Table, rows: readonly Row[]): number {
  if (selected === undefined) return Math.min(0, rows.length - 1);
  const found = rows.findIndex(({ key }) => key === selected);
  return found === -1 ? Math.min(place, rows.length - 1) : found;
}

/** `rows` are those of the table that is shown, as orderedRows() gives them; `pageRows` of them are on the screen. */
export function afterKey(state: TopState, key: Key, rows: readonly Row[], pageRows: number): TopState {
  if (key === 'ctrl-c' || key === 'ctrl-\\') return { ...state, hasEnded: true };
  const table = shownTable(state);
  const steps = stepsOf(key, pageRows, rows.length);
  if (state.isTyping) return steps === undefined ? afterTyping(state, table, key) : moved(state, table, rows, steps);
  if (state.showsHelp) return { ...state, showsHelp: false, hasEnded: key === 'q' };
  const letter = { j: 1, k: -1 }[key] ?? steps;
  if (letter !== undefined) return moved(state, table, rows, letter);
  return afterCommand(state, table, key, rows);
}

function afterCommand(state: TopState, table: Table, key: Key, rows: readonly Row[]): TopState {
  switch (key) {
    case 'q':
      return { ...state, hasEnded: true };
    case 'h':
    case '?':
      return { ...state, showsHelp: true };
    case ' ':
      return { ...state, isPaused: !state.isPaused };
    case '/':
      return { ...state, isTyping: true };
    case '+':
      return { ...state, seconds: intervals.find(each => each > state.seconds) ?? state.seconds };
    case '-':
      return { ...state, seconds: intervals.findLast(each => each < state.seconds) ?? state.seconds };
    case 's':
    case '>':
      return changed(state, { ...table, column: nextColumn(table, 1) });
    case '<':
      return changed(state, { ...table, column: nextColumn(table, -1) });
    case 'r':
      return changed(state, { ...table, isReversed: !table.isReversed });
    case 'p':
      return opened(state, { kind: 'packets' });
    case 'w':
      return opened(state, { kind: 'workers' });
    case 'enter':
      return entered(state, table, rows);
    case 'escape':
      return table.filter === '' ? back(state) : changed(state, { ...table, filter: '' });
    case 'backspace':
      return back(state);
    default:
      return state;
  }
}

function afterTyping(state: TopState, table: Table, key: Key): TopState {
  if (key === 'enter') return { ...state, isTyping: false };
  if (key === 'escape') return { ...changed(state, { ...table, filter: '' }), isTyping: false };
  if (key === 'backspace') return changed(state, { ...table, filter: table.filter.slice(0, -1) });
  return key.length === 1 ? changed(state, { ...table, filter: table.filter + key }) : state;
}

/** How far a key moves the selection; undefined for other keys. */
function stepsOf(key: Key, pageRows: number, rows: number): number | undefined {
  const steps: Readonly<Record<Key, number>> = {
    up: -1,
    down: 1,
    'page-up': -pageRows,
    'page-down': pageRows,
    home: -rows,
    end: rows,
  };
  return steps[key];
}

function moved(state: TopState, table: Table, rows: readonly Row[], steps: number): TopState {
  const place = Math.max(0, Math.min(rows.length - 1, selectedPlace(table, rows) + steps));
  const row = rows[place];
  return row === undefined ? state : changed(state, { ...table, selected: row.key, place });
}

/** Through the columns and the name, and round. */
function nextColumn({ kind, column }: Table, step: 1 | -1): number {
  const places = listings[kind].columns.length + 1;
  return ((column + 1 + step + places) % places) - 1;
}

function entered(state: TopState, table: Table, rows: readonly Row[]): TopState {
  const place = selectedPlace(table, rows);
  const row = rows[place];
  if (row === undefined) return state;
  // What was entered is still selected when the person comes back.
  const selecting = changed(state, { ...table, selected: row.key, place });
  if (table.kind === 'services') return opened(selecting, { kind: 'servers', service: row.key });
  if (table.kind !== 'servers' || table.service === undefined) return state;
  return opened(selecting, { kind: 'connections', service: table.service, server: row.key });
}

function opened(state: TopState, subject: Subject): TopState {
  if (shownTable(state).kind === subject.kind) return state;
  const [first, ...others] = state.trail;
  // Packets and workers have nothing below them.
  const above = others.filter(({ kind }) => kind !== 'packets' && kind !== 'workers');
  return { ...state, trail: [first, ...above, tableOf(subject)] };
}

function back(state: TopState): TopState {
  const [first, ...others] = state.trail;
  return { ...state, trail: [first, ...others.slice(0, -1)] };
}

function changed(state: TopState, table: Table): TopState {
  const [first, ...others] = state.trail;
  return { ...state, trail: others.length === 0 ? [table] : [first, ...others.slice(0, -1), table] };
}
