// SPDX-License-Identifier: Apache-2.0
// What `sluice top` shows, as the lines of a terminal. Only rows that fit are formatted.
import { type Column, listings, type Measured, mostConnections, type Row, rowsOf, type TableKind } from './listing.ts';
import type { Rates } from './rates.ts';
import { orderedRows, selectedPlace, shownTable, type Table, type TopState } from './state.ts';
import { shortNumber } from './table.ts';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

export interface Line {
  readonly text: string;
  readonly style?: 'heading' | 'selected' | 'error';
}

export interface Shown extends Measured {
  /** Why nothing could be measured the last time. */
  readonly failure?: string;
}

/** Fewer lines than this have no room for the workers and for the keys. */
const roomyRows = 8;
/** Columns give way, the last first, before the name gets narrower than this. */
const narrowestName = 28;

/** At least one. */
export function pageRowsOf({ rows }: Screen, { failure }: Shown): number {
  const around = (rows < roomyRows ? 2 : 4) + (failure === undefined ? 0 : 1);
  return Math.max(1, rows - around);
}

/** The rows of the table that is shown, in their order. */
export function shownRows(state: TopState, measured: Measured): Row[] {
  const table = shownTable(state);
  return orderedRows(table, rowsOf(table, measured) ?? []);
}

/** At most `rows` lines of at most `columns` characters. */
export function linesOf(state: TopState, shown: Shown, screen: Screen): Line[] {
  const isRoomy = screen.rows >= roomyRows;
  const table = shownTable(state);
  const rows = shownRows(state, shown);
  const { failure, rates } = shown;
  const body = state.showsHelp ? helpLines : bodyLines(state, rows, shown, screen);
  const lines: Line[] = [
    { text: titleOf(state, table, rows.length, shown) },
    ...(isRoomy ? [{ text: rates === undefined ? '' : workersLine(rates.workers) }] : []),
    ...(failure === undefined ? [] : [{ text: `! ${failure}; trying again`, style: 'error' as const }]),
    ...body.slice(0, pageRowsOf(screen, shown) + 1),
  ];
  if (isRoomy) {
    while (lines.length < screen.rows - 1) lines.push({ text: '' });
    lines.push({ text: footerOf(state, table) });
  }
  return lines
    .slice(0, screen.rows)
    .map(({ text, ...style }) => ({ ...style, text: cutEnd(printable(text), screen.columns) }));
}

function titleOf({ trail, seconds, isPaused }: TopState, table: Table, rows: number, { connections }: Shown): string {
  const names = trail.slice(1).map(({ kind, service, server }) => (kind === 'servers' ? service : server) ?? kind);
  const isCut = table.kind === 'connections' && connections?.length === mostConnections;
  return [
    ['sluice top', ...names].join(' > '),
    isCut ? `the first ${mostConnections} connections` : `${rows} ${rows === 1 ? table.kind.slice(0, -1) : table.kind}`,
    ...(table.filter === '' ? [] : [`with "${table.filter}"`]),
    isPaused ? 'paused' : `every ${seconds} s`,
  ].join('   ');
}

function workersLine(workers: Rates['workers']): string {
  const sum = (key: 'awake' | 'received' | 'receivedBytes' | 'transmitted' | 'transmittedBytes') =>
    workers.reduce((total, worker) => total + worker[key], 0);
  const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
  const most = workers.reduce((found, { awake }) => Math.max(found, awake), 0);
  const flow = (packets: number, bytes: number) => `${shortNumber(packets)} pkt/s ${shortNumber(bytes)} B/s`;
  return [
    `awake ${percent(sum('awake') / Math.max(1, workers.length))}${workers.length > 1 ? `, most ${percent(most)}` : ''}`,
    `in ${flow(sum('received'), sum('receivedBytes'))}`,
    `out ${flow(sum('transmitted'), sum('transmittedBytes'))}`,
  ].join('  ');
}

/** The heading, and the page of rows that has the selected one. */
function bodyLines(state: TopState, rows: readonly Row[], shown: Shown, screen: Screen): Line[] {
  const table = shownTable(state);
  const columns = columnsThatFit(table.kind, screen.columns);
  const nameWidth = Math.max(1, screen.columns - columns.reduce((sum, { width }) => sum + width + 1, 0));
  const heading: Line = { text: headingOf(table, columns, nameWidth), style: 'heading' };
  if (rows.length === 0) return [heading, { text: emptyText(table, shown) }];
  const pageRows = pageRowsOf(screen, shown);
  const selected = selectedPlace(table, rows);
  const first = selected - (selected % pageRows);
  const lines = rows.slice(first, first + pageRows).map((row, index): Line => {
    const cells = columns.map(({ width, format }, column) => cellOf(format(row.values[column] ?? ''), width));
    const text = `${cutMiddle(row.name, nameWidth).padEnd(nameWidth)}${cells.join('')}`;
    return first + index === selected ? { text, style: 'selected' } : { text: text.trimEnd() };
  });
  return [heading, ...lines];
}

function cellOf(text: string, width: number): string {
  return ` ${cutMiddle(text, width).padStart(width)}`;
}

function columnsThatFit(kind: TableKind, width: number): readonly Column[] {
  const { columns } = listings[kind];
  let room = width - narrowestName;
  const fitting = columns.findIndex(column => {
    room -= column.width + 1;
    return room < 0;
  });
  return fitting === -1 ? columns : columns.slice(0, fitting);
}

/** An arrow is at the column that sorts: down in its usual order, up when that is turned round. */
function headingOf({ kind, column, isReversed }: Table, columns: readonly Column[], nameWidth: number): string {
  const { title } = listings[kind];
  const arrow = isReversed ? '↑' : '↓';
  const name = column === -1 ? `${title} ${arrow}` : title;
  const cells = columns.map((each, place) => `${place === column ? arrow : ''}${each.title}`.padStart(each.width + 1));
  return `${cutEnd(name, nameWidth).padEnd(nameWidth)}${cells.join('')}`;
}

function emptyText(table: Table, { rates, connections }: Shown): string {
  if (rates === undefined) return 'measuring';
  const { kind, filter, service } = table;
  if (kind === 'connections' && connections === undefined) return 'asking for connections';
  if (kind === 'servers' && rowsOf(table, { rates }) === undefined) return `there is no service ${service} any more`;
  return filter === '' ? `there are no ${kind}` : `no ${kind} have "${filter}" in their names`;
}

const below: Readonly<Record<TableKind, string>> = {
  services: 'Enter servers  ',
  servers: 'Enter connections  Esc back  ',
  connections: 'Esc back  ',
  packets: 'Esc back  ',
  workers: 'Esc back  ',
};

function footerOf({ isTyping, showsHelp }: TopState, { kind, filter }: Table): string {
  if (isTyping) return `/${filter}_   Enter keeps the filter, Esc removes it`;
  if (showsHelp) return 'any key goes back';
  const removes = filter === '' ? '' : 'Esc removes the filter  ';
  return `q quit  ${removes === '' ? below[kind] : removes}s sort  r reverse  / filter  space pause  h help`;
}

const helpLines: readonly Line[] = [
  { text: 'keys', style: 'heading' },
  { text: 'Enter            the servers of the service, the connections of the server' },
  { text: 'Esc, Backspace   back; Esc removes a filter first' },
  { text: 'up down, j k     move; also PageUp PageDown Home End' },
  { text: '/                show only what has a text in its name; services also by their servers' },
  { text: 's >  <           sort by the next column, by the one before' },
  { text: 'r                the other way round' },
  { text: 'p  w             packets by reason; workers' },
  { text: 'space            pause and go on' },
  { text: '+ -              measure less often, more often' },
  { text: 'q, Ctrl-C        quit' },
];

function cutEnd(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}

/** What differs in names is at their ends. */
function cutMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - end)}…${end === 0 ? '' : text.slice(-end)}`;
}

/** Without characters that would move the terminal's cursor: a message may have any. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');
}
