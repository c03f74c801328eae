// SPDX-License-Identifier: Apache-2.0
// The commands that ask a running sluice, before a server that answers what a test wants.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectionsCommand } from '../../../src/cli/connections.ts';
import { explainCommand } from '../../../src/cli/explain.ts';
import { statusCommand } from '../../../src/cli/status.ts';
import { topCommand } from '../../../src/cli/top.ts';
import { controlStatus } from '../../../src/control/api.ts';
import { type Answering, type AnswerOf, answering } from '../../../src/core/api/route.ts';
import { HostError, SystemError, UnavailableError, UsageError } from '../../../src/core/errors.ts';
import { directorConnections, directorExplain, directorStatus, directorTop } from '../../../src/director/api.ts';
import { type TargetAnswer, targetsRoute } from '../../../src/health/api.ts';
import { serve } from '../core/api/served.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Runs a command; gives what it has printed. */
async function printed(
  command: { run(args: readonly string[]): Promise<number> },
  answers: readonly Answering[],
  ...words: string[]
): Promise<string> {
  const served = await serve({ answers });
  undo.push(() => served.stop());
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(part => {
    text += String(part);
    return true;
  });
  undo.push(() => write.mockRestore());
  expect(await command.run([...words, '--socket', served.path])).toBe(0);
  return text;
}

const control = (
  processes: AnswerOf<typeof controlStatus>['processes'],
  problems: AnswerOf<typeof controlStatus>['problems'] = [],
) => answering(controlStatus, () => ({ version: '1.2.3', snapshot: 'abc', processes, warnings: [], problems }));

type Service = AnswerOf<typeof directorStatus>['services'][number];

const director = {
  workers: 2,
  stealing: 'tcx',
  notices: ['port eth0 is a packet ring'],
  ports: [],
  services: [],
  packets: { established: 5, scheduled: 12 },
};

describe('sluice status', () => {
  const [user, since] = ['sluice', 'today'];
  const idle = { name: 'control', state: 'running', user, pid: 7, since, restarts: 0 } as const;
  const running = { name: 'director', state: 'running', user, pid: 8, standsBy: 9, since, restarts: 2 } as const;

  it('says first that all is well, and shows the processes and what the director forwards', async () => {
    const answers = [control([idle, running]), answering(directorStatus, () => ({ ...director, notices: [] }))];
    const lines = (await printed(statusCommand, answers)).split('\n');
    expect(lines.slice(0, 6)).toEqual([
      'all is well',
      '',
      'sluice 1.2.3',
      'snapshot abc',
      'control: running, process 7 of sluice, since today',
      'director: running, process 8 of sluice, 9 stands by, since today, restarted 2 times',
    ]);
    expect(lines[6]).toBe("2 workers; packets are kept from the host's stack by tcx");
    expect(lines.slice(-3)).toEqual(['          12  scheduled', '           5  established', '']);
  });

  it('says first what is wrong, since when and what to do, also of what planes know', async () => {
    const health = { name: 'health', state: 'running', user, pid: 9, since, restarts: 0 } as const;
    const wrong = { about: 'director', text: 'was restarted once', since: 'noon', remedy: 'see its log' };
    const last = { at: 'noon', passed: false, detail: 'refused', milliseconds: 1 };
    const counts = { weight: 1, against: 0, needed: 2, flapping: false };
    const target: TargetAnswer = {
      ...{ group: 'tcp 192.0.2.10:80', quorum: 'up', target: '10.2.0.2:80', weight: 1, health: 'down' },
      ...{ known: true, since: 'dawn', share: 1, need: 1 },
      checks: [{ check: 'web', destination: '10.2.0.2:80', health: 'down', last, ...counts }],
    };
    const answers = [
      control([idle, running, health], [wrong]),
      answering(directorStatus, () => director),
      answering(targetsRoute, async function* () {
        yield target;
        yield { ...target, known: false };
      }),
    ];
    const lines = (await printed(statusCommand, answers)).split('\n');
    expect(lines.slice(0, 7)).toEqual([
      '3 problems:',
      '! director: was restarted once, since noon',
      '    see its log',
      '! real server 10.2.0.2:80 of tcp 192.0.2.10:80: down: web: refused, since dawn',
      '    sluice explain server 10.2.0.2:80 says what follows from it',
      '! note: port eth0 is a packet ring',
      '',
    ]);
    const served = await serve({ answers });
    undo.push(() => served.stop());
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    expect(await statusCommand.run(['--check', '--socket', served.path])).toBe(1);
    expect(await statusCommand.run(['--socket', served.path])).toBe(0);
  });

  it('lists a service in one line', async () => {
    const rates = { connections: 3, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
    const server: Service['servers'][number] = {
      ...{ address: '10.2.0.2', port: 80, tunnel: null, weight: 1, upperThreshold: 0, lowerThreshold: 0 },
      ...{ active: 4, inactive: 1, persistent: 0, overloaded: 0, counters: rates, rates },
      mode: 'nat',
    };
    const service: Service = {
      identity: { protocol: 'tcp', address: '192.0.2.10', port: 80 },
      ...{ scheduler: 'rr', flags: [], persistence: null, onePacket: false, pool: null, sourceLimit: null },
      clientAddress: 'none',
      proxyProtocol: 'none',
      synProxy: 'off',
      ...{ counters: rates, rates },
      servers: [server, { ...server, weight: 0 }, { ...server, overloaded: 1 }],
    };
    const answers = [control([idle, running]), answering(directorStatus, () => ({ ...director, services: [service] }))];
    expect(await printed(statusCommand, answers)).toMatch(/^tcp 192\.0\.2\.10:80 +rr +1\/3 +15 +3$/m);
  });

  it('shows why the director does not run', async () => {
    const lastError = { at: '12:00', message: 'there is no interface eth7' };
    const plane = { name: 'director', state: 'waiting', user, restarts: 1, lastError } as const;
    const unavailable = answering(directorStatus, () => {
      throw new UnavailableError('the director does not run');
    });
    expect(await printed(statusCommand, [control([plane]), unavailable])).toBe(
      'all is well\n\nsluice 1.2.3\nsnapshot abc\n' +
        'director: waiting, restarted once, last error at 12:00: there is no interface eth7\n',
    );
    expect(JSON.parse(await printed(statusCommand, [control([plane]), unavailable], '--json'))).toMatchObject({
      processes: [plane],
    });
  });

  it('does not hide another failure of the director', async () => {
    const broken = answering(directorStatus, () => {
      throw new HostError('the ring is gone', { remedy: 'restart' });
    });
    await expect(printed(statusCommand, [control([running]), broken])).rejects.toThrow(HostError);
  });
});

describe('sluice connections', () => {
  const row = (client: string, port: number) => ({
    protocol: 'TCP',
    expires: 61,
    state: 'ESTABLISHED',
    client: { address: client, port },
    virtual: { address: '192.0.2.10', port: 80 },
    server: { address: '10.2.0.2', port: 8080 },
    local: { address: '0.0.0.0', port: 0 },
  });

  it('prints a stream of rows in their order, and asks with its filters', async () => {
    const asked: unknown[] = [];
    const answers = [
      answering(directorConnections, async function* (parameters) {
        asked.push(parameters);
        yield row('10.1.0.3', 2);
        yield row('10.1.0.2', 1);
      }),
    ];
    const text = await printed(connectionsCommand, answers, '--service', 'tcp 192.0.2.10:80', '--client', '10.1.0.2');
    expect(text.split('\n').slice(2)).toEqual([
      'TCP 01:01  ESTABLISHED 10.1.0.2:1         192.0.2.10:80      10.2.0.2:8080',
      'TCP 01:01  ESTABLISHED 10.1.0.3:2         192.0.2.10:80      10.2.0.2:8080',
      '',
    ]);
    expect(asked).toEqual([{ service: 'tcp 192.0.2.10:80', client: '10.1.0.2' }]);
    expect(JSON.parse(await printed(connectionsCommand, answers, '--json'))).toHaveLength(2);
  });

  it('prints nothing of a stream that fails', async () => {
    const answers = [
      answering(directorConnections, async function* () {
        yield row('10.1.0.3', 2);
        throw new HostError('a worker has ended');
      }),
    ];
    await expect(printed(connectionsCommand, answers)).rejects.toThrow('a worker has ended');
  });
});

describe('an error of the running process', () => {
  it('is that of the command, with place, remedy and exit status', async () => {
    const place = { file: 'packet', line: 1, column: 5 };
    const answers = [
      answering(directorExplain, () => {
        throw new UsageError('source must be ADDRESS:PORT', { place, value: 'x', remedy: 'add a port' });
      }),
    ];
    const error = await printed(explainCommand, answers, 'packet', 'tcp x').catch(each => each);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: 'SLUICE_USAGE', place, value: 'x', remedy: 'add a port', exitStatus: 2 });
    expect(error.message).toBe('packet:1:5: source must be ADDRESS:PORT: "x" (add a port)');
  });

  it('keeps errno and the call', async () => {
    const answers = [
      answering(directorTop, () => {
        throw new SystemError('cannot read the page', { errno: 13, syscall: 'mmap', value: '/x' });
      }),
    ];
    const error = await printed(topCommand, answers, '--once').catch(each => each);
    expect(error).toBeInstanceOf(SystemError);
    expect(error).toMatchObject({ errnoName: 'EACCES', syscall: 'mmap', exitStatus: 1 });
    expect(error.message).toBe('cannot read the page: mmap: EACCES, permission denied: "/x"');
  });
});
