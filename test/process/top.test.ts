// SPDX-License-Identifier: Apache-2.0
// `sluice top`, with traffic.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Rates } from '../../src/cli/top/rates.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const requests = 20;

describeAsRoot('sluice top', () => {
  let running: RunningSluice;
  beforeAll(async () => {
    running = await RunningSluice.start('--workers', '2');
    await running.request(requests);
  });
  afterAll(() => running?.stop());

  it('has what workers have published of services, servers and reasons', async () => {
    const { services, reasons, workers } = await running.ask<Rates>('top', '--once');
    expect(services).toMatchObject([
      { counters: { connections: requests }, servers: [{ address: '10.2.0.2', counters: { connections: requests } }] },
    ]);
    expect(reasons).toContainEqual(expect.objectContaining({ name: 'reply', verdict: 'forward', perSecond: 0 }));
    expect(workers.map(({ name }) => name)).toEqual(['worker 0', 'worker 1']);
    for (const { awake } of workers) expect(awake).toBeLessThan(0.2);
  });

  it('is a table of 80 columns, and plain text where no terminal reads it', async () => {
    const { stdout, status } = await running.command('top', '--once');
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).not.toContain('\x1b');
    expect(lines[0]).toMatch(/^worker 0 +awake +\d+\.\d % +in +\d/);
    // On a slow machine the first connections may have left the table by now.
    const [, ofService, ofServer] =
      new RegExp(`^tcp ${virtual}:80 rr +(\\d+) .*\n {2}-> 10.2.0.2:8080 nat +(\\d+) `, 'm').exec(stdout) ?? [];
    expect(Number(ofService)).toBeGreaterThan(0);
    expect(Number(ofService)).toBeLessThanOrEqual(requests);
    expect(ofServer).toBe(ofService);
  });

  it('goes down to the connections of a server by keys, on a terminal', async () => {
    const program = running.startOnTerminal('top');
    await program.says(`tcp ${virtual}:80 rr`);
    await running.request();
    program.write('\r');
    await program.says('10.2.0.2:8080 nat');
    program.write('\r');
    await program.says('10.1.0.2:');
    program.write('q');
    expect((await program.ending).status).toBe(0);
  });

  it('goes on until it is asked to end', async () => {
    const program = running.startCommand('top', '--json');
    await program.ready({ prints: '"seconds"' });
    await running.request();
    program.kill('SIGINT');
    expect((await program.ending).status).toBe(0);
  });
});
