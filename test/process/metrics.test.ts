// SPDX-License-Identifier: Apache-2.0
// The metrics of a running Sluice: as others read them, beside what clients and servers have seen, over reloads.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { metricsRoute } from '../../src/control/api.ts';
import { ApiClient } from '../../src/core/api/client.ts';
import { metricsMediaTypes } from '../../src/core/metrics/text.ts';
import { version } from '../../src/core/version.ts';
import { familyLists } from '../../src/daemon/metrics.ts';
import { describeAsRoot } from '../privileges.ts';
import { exchange } from '../unit/core/api/served.ts';
import { lint, type ReadFamily, readOpenMetrics } from '../unit/core/metrics/outside-readers.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const patience = 60_000;
const service = `tcp ${virtual}:80`;
const server = '10.2.0.2:8080';

const documentOf = (more = '') => `
health: { checks: { web: { http: /, interval: 0.2 }, dead: { tcp: {}, port: 9, interval: 0.2 } } }
director:
  limits: { flows: 10000 }
  pools: { local: { addresses: [10.2.0.100/31], ports: 5000-5015 } }
  services:
    - tcp: ${virtual}:80
      scheduler: rr
      pool: local
      health: web
      servers: [{ server: '${server}', mode: fullnat }, { server: '10.2.0.3:8080', health: { checks: [dead] } }]
${more}`;

type Labels = Readonly<Record<string, string>>;

class Scrape {
  readonly families: readonly ReadFamily[];
  constructor(text: string) {
    this.families = readOpenMetrics(text);
  }

  /** The value of the only sample with these labels. */
  value(name: string, labels: Labels = {}): number {
    const values = this.values(name, labels);
    if (values.length !== 1) throw new Error(`${values.length} samples of ${name} ${JSON.stringify(labels)}`);
    return values[0] ?? 0;
  }

  values(name: string, labels: Labels = {}): number[] {
    return this.families
      .flatMap(({ samples }) => samples)
      .filter(([sample, has]) => sample === name && Object.entries(labels).every(([label, is]) => has[label] === is))
      .map(([, , value]) => value);
  }

  /** What may never fall, by name and labels. */
  counters(): Map<string, number> {
    const monotonic = this.families.filter(({ type }) => type === 'counter' || type === 'summary');
    return new Map(
      monotonic.flatMap(({ samples }) =>
        samples.map(([name, labels, value]) => [`${name} ${JSON.stringify(labels)}`, value] as const),
      ),
    );
  }
}

describeAsRoot('the metrics of a running sluice', () => {
  let running: RunningSluice;
  let client: ApiClient;
  beforeAll(async () => {
    running = await RunningSluice.startBy(documentOf(), '--workers', '2');
    client = new ApiClient(running.socket);
    await until('checks have results', patience, async () => {
      const seen = await scrape();
      return seen.values('sluice_health_check_unknown').every(value => value === 0);
    });
  });
  afterAll(() => running?.stop());

  const openMetrics = () => client.text(metricsRoute, {}, { accept: metricsMediaTypes.openmetrics });
  const scrape = async () => new Scrape(await openMetrics());

  it('are accepted by promtool and by the reference parser, whole and in the order of the lists', async () => {
    expect(lint(await client.text(metricsRoute, {}))).toEqual({ status: 0, output: '' });
    const { families } = await scrape();
    expect(families.map(({ name, type, unit, help }) => ({ name, type, unit, help }))).toEqual(
      familyLists.flatMap(list => list.families).map(({ name, type, unit = '', help }) => ({ name, type, unit, help })),
    );
  });

  it('come in the format that a scraper asks for, also without a word about versions of messages', async () => {
    const ask = (accept: string) => exchange(running.socket, `GET /metrics HTTP/1.1\r\naccept: ${accept}\r\n\r\n`);
    const prometheus = await ask('application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1');
    expect(prometheus).toMatch(/\r\ncontent-type: application\/openmetrics-text; version=1.0.0; charset=utf-8\r\n/i);
    expect(prometheus).toMatch(/\n# EOF\n$/);
    expect(await ask('*/*')).toMatch(/\r\ncontent-type: text\/plain; version=0.0.4; charset=utf-8\r\n/i);
  });

  it('are what `sluice metrics` prints', async () => {
    const printed = await running.command('metrics');
    expect(new Scrape(printed.stdout).value('sluice_build_info', { version })).toBe(1);
    expect(lint((await running.command('metrics', '--format', 'prometheus')).stdout).status).toBe(0);
    expect(await running.command('metrics', '--format', 'xml')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('use openmetrics or prometheus'),
    });
  });

  it('count the connections, packets and bytes of clients', async () => {
    const before = await scrape();
    await running.request(5);
    const connections = (seen: Scrape) => seen.value('sluice_director_service_connections_total', { service });
    await until(
      'the connections are counted',
      patience,
      async () => connections(await scrape()) >= connections(before) + 5,
    );
    const after = await scrape();
    expect(connections(after)).toBe(connections(before) + 5);
    expect(after.value('sluice_director_server_connections_total', { service, server })).toBe(connections(after));
    for (const direction of ['in', 'out']) {
      const packets = after.value('sluice_director_service_packets_total', { service, direction });
      const bytes = after.value('sluice_director_service_bytes_total', { service, direction });
      // SYN, request, acknowledgements, FIN: five connections of some packets each.
      expect(packets).toBeGreaterThanOrEqual(5 * 4);
      expect(bytes).toBeGreaterThan(packets * 40);
    }
    const frames = after.values('sluice_director_worker_frames_total', { direction: 'received' });
    expect(frames).toHaveLength(2);
    expect(after.value('sluice_director_flows_limit')).toBe(10_000);
    expect(after.values('sluice_director_port_up')).toEqual([1, 1]);
  });

  it('say which servers are up, with which weight, and what checks have found', async () => {
    const seen = await scrape();
    const dead = '10.2.0.3:8080';
    expect(seen.value('sluice_director_server_up', { service, server })).toBe(1);
    expect(seen.value('sluice_director_server_weight', { service, server })).toBe(1);
    expect(seen.value('sluice_director_server_up', { service, server: dead })).toBe(0);
    expect(seen.value('sluice_director_server_weight', { service, server: dead })).toBe(0);
    expect(seen.value('sluice_director_service_servers', { service })).toBe(2);
    expect(seen.value('sluice_director_service_up_servers', { service })).toBe(1);
    expect(seen.value('sluice_health_target_up', { group: service, target: server })).toBe(1);
    expect(seen.value('sluice_health_target_up', { group: service, target: dead })).toBe(0);
    expect(seen.value('sluice_health_group_quorum', { group: service })).toBe(1);
    expect(seen.value('sluice_health_check_up', { check: 'dead' })).toBe(0);
    expect(seen.value('sluice_health_check_probes_total', { check: 'web', result: 'passed' })).toBeGreaterThan(0);
    expect(seen.value('sluice_health_check_duration_seconds_count', { check: 'web' })).toBeGreaterThan(0);
  });

  it('say of pools how many ports are used and free, and how many flows found none', async () => {
    const clients = Array.from({ length: 3 }, () =>
      running.client.start('client', ['bash', '-c', `exec 3<>/dev/tcp/${virtual}/80; read -r`], { open: true }),
    );
    const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
    const usedIn = (seen: Scrape) => sumOf(seen.values('sluice_director_pool_used_ports', { pool: 'local' }));
    await until('the flows have ports', patience, async () => usedIn(await scrape()) >= 3);
    // Ports come and go: what is used and what is free are of one scrape.
    const seen = await scrape();
    const free = seen.values('sluice_director_pool_free_ports', { pool: 'local' });
    expect(free).toHaveLength(2);
    expect(sumOf(free) + usedIn(seen)).toBe(32);
    for (const one of clients) one.write('end\n');
    await Promise.all(clients.map(one => one.ending));
    // More connections within the time of TIME_WAIT than the pool has places.
    const attempt = `timeout 0.3 bash -c 'exec 3<>/dev/tcp/${virtual}/80'`;
    await running.client.run(['bash', '-c', `for each in {1..48}; do ${attempt}; done`]);
    await until('flows have missed', patience, async () => {
      const later = await scrape();
      return later.value('sluice_director_pool_missed_flows_total', { pool: 'local' }) > 0;
    });
    expect((await scrape()).value('sluice_director_pool_fullest_ratio', { pool: 'local' })).toBeGreaterThan(0.8);
    expect((await running.command('status')).stdout).toContain('note: the pool local is nearly empty: ');
    await until('the log says it, too', patience, async () =>
      running.program.stderr.includes('the pool local is nearly empty'),
    );
    const events = await running.command('events', '--kind', 'pool.nearly-empty');
    expect(events.stdout).toMatch(
      / warning +pool\.nearly-empty +the pool local is nearly empty: add local addresses to it\n$/,
    );
  });

  it('never fall over reloads, and say what became of them', async () => {
    const more = (port: number) => `    - { tcp: '${virtual}:${port}', servers: [10.2.0.2:8080] }\n`;
    let before = await scrape();
    for (const document of [documentOf(more(81)), documentOf(more(82)), documentOf()]) {
      running.configure(document);
      expect((await running.command('reload')).status).toBe(0);
      const after = await scrape();
      for (const [key, value] of after.counters()) {
        expect({ key, value }).toSatisfy(() => value >= (before.counters().get(key) ?? 0));
      }
      before = after;
    }
    const reloads = (seen: Scrape, outcome: string) =>
      seen.value('sluice_changes_total', { action: 'reload', outcome });
    expect(reloads(before, 'applied')).toBe(3);
    expect(before.value('sluice_last_change_successful')).toBe(1);
    running.configure('nonsense');
    await running.command('reload');
    const refused = await scrape();
    expect(reloads(refused, 'refused')).toBe(1);
    expect(refused.value('sluice_last_change_successful')).toBe(0);
  });

  it('say which snapshot is in force, how processes do, and that a plane which is replaced is missing', async () => {
    const seen = await scrape();
    const { snapshot } = await running.ask<{ snapshot: string }>('status');
    expect(seen.value('sluice_snapshot_info', { id: snapshot })).toBe(1);
    const age = Date.now() / 1000 - seen.value('sluice_snapshot_timestamp_seconds');
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(600);
    for (const name of ['supervisor', 'control', 'director', 'health']) {
      expect(seen.value('sluice_process_state', { process: name, state: 'running' })).toBe(1);
      expect(seen.value('sluice_process_restarts_total', { process: name })).toBe(0);
    }
    expect(seen.value('sluice_plane_scrape_successful', { plane: 'director' })).toBe(1);
    const pid = await running.pid('health');
    process.kill(pid, 'SIGKILL');
    await until('it is counted', patience, async () => {
      const later = await scrape();
      return later.value('sluice_process_restarts_total', { process: 'health' }) === 1;
    });
  });
});
