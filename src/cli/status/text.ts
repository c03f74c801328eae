// SPDX-License-Identifier: Apache-2.0
// The status as one screen of text.
import { counted } from '../../core/words.ts';
import { serviceKey } from '../../director/model.ts';
import type { DirectorStatus, Status } from '../status.ts';

type ProcessRow = Status['processes'][number];

/** `now`: wall time in milliseconds. */
export function statusText(status: Status, now: number): string {
  const { version, processes, director } = status;
  const lines = [
    ...problemLines(status.problems),
    '',
    `sluice ${version}`,
    snapshotLine(status, now),
    ...processes.map(processLine),
    ...(director === undefined ? [] : directorLines(director)),
  ];
  return `${lines.join('\n')}\n`;
}

function problemLines(problems: Status['problems']): string[] {
  if (problems.length === 0) return ['all is well'];
  return [
    `${counted(problems.length, 'problem')}:`,
    ...problems.flatMap(({ about, text, since, remedy }) => [
      `! ${about}: ${text}${since === undefined ? '' : `, since ${since}`}`,
      ...(remedy === undefined ? [] : [`    ${remedy}`]),
    ]),
  ];
}

/** A snapshot is named by so much of its id. */
const idLength = 12;

function snapshotLine({ snapshot, entry }: Status, now: number): string {
  const id = `snapshot ${snapshot.slice(0, idLength)}`;
  if (entry === undefined) return id;
  const { number, author, action, at, reason } = entry;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `${id}, entry ${number} of the history, by ${author} ${ageWords(now - Date.parse(at))} ago, ${action}${why}`;
}

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000] as const;

/** A time in its largest unit. */
export function ageWords(milliseconds: number): string {
  if (milliseconds < minute) return counted(Math.max(0, Math.floor(milliseconds / 1000)), 'second');
  if (milliseconds < hour) return counted(Math.floor(milliseconds / minute), 'minute');
  if (milliseconds < day) return counted(Math.floor(milliseconds / hour), 'hour');
  return counted(Math.floor(milliseconds / day), 'day');
}

function processLine({ name, state, user, pid, standsBy, since, restarts, lastError }: ProcessRow): string {
  const parts = [
    state === 'stopped' ? `does not run: the configuration has no section ${name}` : state,
    ...(pid === undefined ? [] : [`process ${pid} of ${user}`]),
    ...(standsBy === undefined ? [] : [`${standsBy} stands by`]),
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(restarts === 0 ? [] : [restarts === 1 ? 'restarted once' : `restarted ${restarts} times`]),
    ...(lastError === undefined ? [] : [`last error at ${lastError.at}: ${lastError.message}`]),
  ];
  return `${name}: ${parts.join(', ')}`;
}

/** Columns: texts to the left, numbers to the right. */
function rowOf(cells: readonly (string | number)[], widths: readonly number[], texts: number): string {
  return cells
    .map((cell, index) => String(cell)[index < texts ? 'padEnd' : 'padStart'](widths[index] ?? 0))
    .join(' ')
    .trimEnd();
}

const portWidths = [15, 13, 17, 11, 11, 9, 9];
const serviceWidths = [32, 10, 9, 11, 9];
/** The rest is in sluice top, and in sluice explain service. */
const [mostServices, mostReasons] = [20, 5] as const;

function directorLines({ workers, stealing, ports, services, packets }: DirectorStatus): string[] {
  const reasons = Object.entries(packets).sort(([, a], [, b]) => b - a);
  return [
    `${counted(workers, 'worker')}; packets are kept from the host's stack by ${stealing}`,
    '',
    rowOf(['port', 'type', 'address', 'received', 'sent', 'no room', 'not sent'], portWidths, 3),
    ...ports.map(({ name, type, mac, received, transmitted, kernelDrops, sendFailures }) =>
      rowOf([name, type, mac, received, transmitted, kernelDrops, sendFailures], portWidths, 3),
    ),
    '',
    rowOf(['service', 'scheduler', 'up', 'connections', 'new/s'], serviceWidths, 2),
    ...services.slice(0, mostServices).map(serviceLine),
    ...(services.length > mostServices ? [`and ${services.length - mostServices} more: sluice top`] : []),
    ...(reasons.length === 0 ? [] : ['', 'packets']),
    ...reasons.slice(0, mostReasons).map(([reason, count]) => `${String(count).padStart(12)}  ${reason}`),
    ...(reasons.length > mostReasons ? [`and ${reasons.length - mostReasons} more reasons: sluice top --once`] : []),
  ];
}

/** Up: servers that get new connections, of all. */
function serviceLine({ identity, scheduler, servers, rates }: DirectorStatus['services'][number]): string {
  const up = servers.filter(({ weight, overloaded }) => weight > 0 && overloaded === 0).length;
  const connections = servers.reduce((sum, { active, inactive }) => sum + active + inactive, 0);
  const cells = [serviceKey(identity), scheduler, `${up}/${servers.length}`, connections, rates.connections];
  return rowOf(cells, serviceWidths, 2);
}
