// SPDX-License-Identifier: Apache-2.0
// Runs `sluice run` between hosts that are network namespaces, has a real server fail and come back, and prints every second
// what its admin socket reports.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../../lab/topology/lab-error.ts';
import { removeAbandoned } from '../../lab/topology/run.ts';
import { removeAtEnd } from '../../lab/topology/signals.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { until } from '../../lab/topology/until.ts';
import { ApiClient } from '../../src/core/api/client.ts';
import { directorConnections, directorServices } from '../../src/director/api.ts';
import {
  type Counters,
  formatConnections,
  type ServerView,
  type ServiceView,
} from '../../src/director/ipvsadm/listing.ts';
import { byEndpoints, type Connection } from '../../src/director/views.ts';
import { Failure, heading, projectRoot } from '../../tools/command.ts';
import { showFailure } from './failure.ts';
import { description, type Running, services, start } from './lab.ts';
import { showReplay } from './replay.ts';
import { isTerminal, styled } from './style.ts';

const frameMilliseconds = 1000;
/** Number of tables when there is no terminal for Ctrl-C. */
const framesWithoutTerminal = 3;
const firstRequestMilliseconds = 20_000;
/** Number of rows that are shown of the table of connections. */
const shownConnections = 5;

const map = `
  client ── balancer (sluice run) ── r1, r2, r3     namespaces, with real TCP between them
  ${services.map(({ mode, address }) => `${address} ${mode}`).join('   ')}
`;

export async function showLive(): Promise<void> {
  removeAbandoned();
  removeAtEnd();
  heading('a client, a balancer and three real servers');
  console.log(map.slice(1).trimEnd());
  let topology: Topology | undefined;
  try {
    topology = await Topology.up(description);
    await showBalancer(await start(topology));
  } catch (error) {
    throw error instanceof LabError ? new Failure(error.message) : error;
  } finally {
    await topology?.down();
  }
  console.log('\nThe namespaces and all programs in them are removed.');
}

async function showBalancer(running: Running): Promise<void> {
  const { socket } = running;
  await until('every service has had a request', firstRequestMilliseconds, async () =>
    (await look(socket)).services.every(({ counters }) => Number(counters.connections) > 0),
  );
  await explain(socket);
  await showFailure(running);
  heading(`connections and rates${isTerminal ? ', until Ctrl-C' : ''}`);
  let drawn = 0;
  let before = await look(socket);
  const parent = process.ppid;
  // Ends also when the program that has started this one was killed: nobody would press Ctrl-C.
  for (let frame = 0; process.ppid === parent && (isTerminal || frame < framesWithoutTerminal); frame++) {
    await delay(frameMilliseconds);
    const now = await look(socket);
    const lines = [...tableOf(before, now), '', ...latest(await connections(socket))];
    before = now;
    // Clear the previous table.
    if (isTerminal && drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[J`);
    console.log(lines.join('\n'));
    drawn = lines.length;
  }
}

interface Look {
  /** Time in milliseconds, of a monotonic clock. */
  readonly at: number;
  readonly services: readonly ServiceView[];
}

async function look(socket: string): Promise<Look> {
  const views = await new ApiClient(socket).call(directorServices, {});
  return { at: performance.now(), services: views };
}

async function connections(socket: string): Promise<Connection[]> {
  const rows: Connection[] = [];
  for await (const row of new ApiClient(socket).stream(directorConnections, {})) rows.push(row);
  return rows.sort(byEndpoints);
}

/** Shows what the running director would do with a packet. A build without `explain` shows the replay instead. */
async function explain(socket: string): Promise<void> {
  const sluice = (...words: readonly string[]): string =>
    spawnSync(process.execPath, [join(projectRoot, 'dist/cli/main.js'), ...words], { encoding: 'utf8' }).stdout;
  if (!/^ {2}explain\b/m.test(sluice('--help'))) return await showReplay();
  const [service] = services;
  const packet = `tcp ${service.client}:40000 ${service.address}:80 S`;
  heading(`sluice explain packet '${packet}'`);
  process.stdout.write(sluice('explain', 'packet', packet, '--socket', socket));
}

function row(cells: readonly (string | number)[]): string {
  const [name = '', mode = '', ...numbers] = cells;
  return [String(name).padEnd(20), String(mode).padEnd(8), ...numbers.map(cell => String(cell).padStart(9))].join(' ');
}

const title = row(['service, servers', 'mode', 'open', 'ended', 'total', 'conn/s', 'in pkt/s', 'out pkt/s', 'in kB/s']);

type Counted = Pick<ServerView, 'active' | 'inactive' | 'counters'>;

/** A row's figures. `before` are the counters of `seconds` ago, from which rates follow. */
function numbers({ active, inactive, counters }: Counted, before: Counters | undefined, seconds: number): number[] {
  const rate = (name: keyof Counters): number =>
    Math.round(Number(BigInt(counters[name]) - BigInt(before?.[name] ?? 0)) / seconds);
  return [
    ...[active, inactive, Number(counters.connections)],
    ...[rate('connections'), rate('packetsIn'), rate('packetsOut'), Math.round(rate('bytesIn') / 1000)],
  ];
}

function serviceRows(service: ServiceView, before: ServiceView | undefined, seconds: number): string[] {
  const { identity, servers, counters } = service;
  const name = 'mark' in identity ? `mark ${identity.mark}` : `${identity.address}:${identity.port}`;
  const sum = (of: (server: ServerView) => number): number => servers.reduce((total, each) => total + of(each), 0);
  const whole = { active: sum(server => server.active), inactive: sum(server => server.inactive), counters };
  return [
    styled('bold', row([name, servers[0]?.mode ?? '', ...numbers(whole, before?.counters, seconds)])),
    ...servers.map((server, index) =>
      row([`  ${server.address}`, '', ...numbers(server, before?.servers[index]?.counters, seconds)]),
    ),
  ];
}

/** `before` and `now` have services and servers in the same order. */
function tableOf(before: Look, now: Look): string[] {
  const seconds = (now.at - before.at) / 1000;
  const rows = now.services.flatMap((service, index) => serviceRows(service, before.services[index], seconds));
  return [styled('dim', title), ...rows];
}

function latest(connections: readonly Connection[]): string[] {
  const [banner = '', columns = '', ...rows] = formatConnections(connections).trimEnd().split('\n');
  return [banner, columns, ...rows.slice(-shownConnections), styled('dim', `… of ${rows.length}`)];
}
