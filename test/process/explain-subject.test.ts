// SPDX-License-Identifier: Apache-2.0
// `sluice explain server` and `sluice explain service` on a running Sluice: what decides says why.
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import type { SubjectExplanation } from '../../src/cli/explain/findings.ts';
import { describeAsRoot } from '../privileges.ts';
import { type Checked, checkedDocument, checkedServer } from './checked-document.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const patience = 30_000;
vi.setConfig({ testTimeout: 3 * patience });

const service = `tcp ${virtual}:80`;
const real = checkedServer;

let running: RunningSluice | undefined;

async function start(written?: Checked): Promise<RunningSluice> {
  running = await RunningSluice.startBy(checkedDocument(written));
  return running;
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function explained(sluice: RunningSluice, ...words: string[]): Promise<SubjectExplanation> {
  const [one, other] = await sluice.ask<SubjectExplanation[]>('explain', ...words);
  if (one === undefined || other !== undefined) throw new Error('one explanation was expected');
  return one;
}

function finding({ findings }: SubjectExplanation, topic: string): SubjectExplanation['findings'][number] {
  const found = findings.find(each => each.topic === topic);
  if (found === undefined) throw new Error(`nothing is said of ${topic}`);
  return found;
}

describeAsRoot('sluice explain', () => {
  it('says why a server gets connections, and who took it out', async () => {
    const sluice = await start();
    await sluice.request();
    const healthy = await explained(sluice, 'server', '10.2.0.2');
    expect(healthy).toMatchObject({ group: service, target: real, verdict: { connections: 'all', reasons: [] } });
    expect(finding(healthy, 'weight').text).toBe('weight 1, as configured');
    expect(finding(healthy, 'scheduler').text).toBe('rr would give it a new connection from 198.51.100.1');
    expect(finding(healthy, 'neighbour').text).toMatch(/^10\.2\.0\.2 on eth1 has the link-layer address ..(:..){5}$/);
    expect(finding(healthy, 'flows').details[0]).toMatch(/^1 connection since/);

    await sluice.command('drain', real, '--no-wait', '--reason', 'new disks');
    const { stdout } = await sluice.command('explain', 'server', real, '--client', '10.1.0.2');
    expect(stdout.split('\n')[0]).toMatch(
      /^real server 10\.2\.0\.2:8080 of tcp 192\.0\.2\.10:80 gets no new connections: it is in maintenance \(.+ said so at .+, entry 2 of the history, by command: maintenance of 10\.2\.0\.2:8080: new disks\)$/,
    );
    expect(stdout).toContain('- 10.2.0.2:8080: weight 0, passed by\n');
    expect(stdout).toContain('what to do\n  - sluice drain 10.2.0.2:8080 --undo takes it back\n');
    const drained = await explained(sluice, 'service', virtual);
    expect(drained.verdict).toEqual({
      connections: 'none',
      reasons: ['0 of 1 server get new connections: 1 in maintenance'],
    });
    expect(finding(drained, 'packets').details).toEqual([
      "eth0: kept from the host's stack",
      "eth1: kept from the host's stack",
    ]);

    await sluice.command('drain', real, '--undo');
    expect((await explained(sluice, 'server', real)).verdict.connections).toBe('all');
  });

  it('says what health checks found, that nobody answers for a neighbour, and that the sorry server is in use', async () => {
    const sluice = await start({ servers: '10.2.0.9:8080', health: 'start: up, none_up: all' });
    await until('the server is down and used', patience, async () => {
      const { verdict } = await explained(sluice, 'server', '10.2.0.9');
      return verdict.connections === 'hindered';
    });
    const used = await explained(sluice, 'server', '10.2.0.9');
    expect(used.verdict.reasons[0]).toMatch(
      /^it is down and used all the same: no server is up \(down: web: .+, since .+\)$/,
    );
    await expect(sluice.request()).rejects.toThrow();
    const lost = await explained(sluice, 'server', '10.2.0.9');
    expect(lost.verdict.reasons).toEqual([
      'the link-layer address of 10.2.0.9 on eth1 is not known: nobody answers for it',
    ]);
    expect(finding(lost, 'neighbour').remedy).toContain('ip neigh show 10.2.0.9');

    sluice.configure(checkedDocument({ servers: '10.2.0.9:8080', health: `sorry: "${real}"` }));
    expect(await sluice.command('reload')).toMatchObject({ status: 0 });
    const sorry = await explained(sluice, 'service', service);
    expect(sorry.verdict.connections).toBe('hindered');
    expect(sorry.verdict.reasons[0]).toMatch(
      /^the sorry server 10\.2\.0\.2:8080 is in use: no server is up \(0 of 1 server up\)$/,
    );
    expect(finding(sorry, 'connection').text).toContain(`to ${real}`);
    expect((await explained(sluice, 'server', real)).verdict.connections).toBe('all');
    expect((await explained(sluice, 'server', '10.2.0.9')).verdict.connections).toBe('none');
    await sluice.request();
  });

  it('says that a server is overloaded, with the numbers', async () => {
    running = await RunningSluice.startWith(`-A -t ${virtual}:80 -s rr\n-a -t ${virtual}:80 -r ${real} -m -x 1 -y 1\n`);
    const client = running.client.start('client', ['bash', '-c', `exec 3<>/dev/tcp/${virtual}/80; read -r`], {
      open: true,
    });
    const sluice = running;
    await until('the server is overloaded', patience, async () => {
      const { verdict } = await explained(sluice, 'server', real);
      return verdict.connections === 'none';
    });
    const { verdict } = await explained(sluice, 'server', real);
    expect(verdict.reasons).toEqual(['overloaded: 1 connection, upper threshold 1']);
    const whole = await explained(sluice, 'service', service);
    expect(whole.verdict).toEqual({ connections: 'none', reasons: ['1 of 1 server overloaded'] });
    client.write('end\n');
    await client.ending;
  });

  it('says that the packets of a service go to another one, by a mark', async () => {
    running = await RunningSluice.startBy(`
director:
  services:
    - { tcp: "${virtual}:80", scheduler: rr, servers: ["${real}"] }
    - { mark: 7, scheduler: rr, servers: ["${real}"] }
  marks:
    - { mark: 7, destination: ${virtual}, protocol: tcp, ports: 80 }
`);
    const { verdict } = await explained(running, 'service', service);
    expect(verdict).toEqual({ connections: 'none', reasons: ['its packets go to fwmark 7'] });
    const [ofServer] = await running.ask<SubjectExplanation[]>('explain', 'server', real, '--service', service);
    expect(ofServer?.verdict.connections).toBe('none');
  });

  it('refuses names that nothing has, and options that do not fit', async () => {
    const sluice = await start();
    const refusals: readonly [string, ...string[]][] = [
      ['no service has this real server', 'server', '10.2.0.77'],
      ['there is no such service', 'service', 'tcp 192.0.2.77:80'],
      ['it is not clear which server', 'server'],
      ['--mark does not go with server', 'server', real, '--mark', '1'],
      ['--service does not go with packet', 'packet', 'udp', '--service', service],
      ['not an address that a client', 'server', real, '--client', '2001:db8::1'],
    ];
    for (const [problem, ...words] of refusals) {
      const { status, stderr } = await sluice.command('explain', ...words);
      expect([status, stderr]).toEqual([2, expect.stringContaining(problem)]);
    }
  });
});
