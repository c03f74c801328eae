// SPDX-License-Identifier: Apache-2.0
// `sluice explain`, with a running director.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CaptureWriter } from '../../src/capture/capture-writer.ts';
import type { Status } from '../../src/cli/status.ts';
import type { Explanation } from '../../src/director/explanation.ts';
import { buildFrame, ethernet, ipv4, tcp, udp } from '../../src/wire/packet-builder.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

describeAsRoot('sluice explain', () => {
  let running: RunningSluice;
  beforeAll(async () => {
    running = await RunningSluice.start('--workers', '2');
    await running.request();
  });
  afterAll(() => running?.stop());

  const explain = (...words: string[]) => running.ask<Explanation>('explain', ...words);

  /** The state that an explanation must not change. */
  async function state() {
    const [connections, { director }] = [
      await running.ask<{ client: object }[]>('connections'),
      await running.ask<Status>('status'),
    ];
    return { clients: connections.map(({ client }) => client), packets: director?.packets };
  }

  it('explains a packet and changes nothing', async () => {
    const before = await state();
    const { packets, port, workers } = await explain('packet', `tcp 10.1.0.2:1024 ${virtual}:80 S`);
    expect({ port, workers }).toEqual({ port: 'eth0', workers: 2 });
    expect(packets).toEqual([
      expect.objectContaining({
        packet: expect.stringContaining(`10.1.0.2.1024 > ${virtual}.80: Flags [S]`),
        owner: 'director',
        verdict: 'forward',
        reason: 'scheduled',
        service: `tcp ${virtual}:80`,
        server: '10.2.0.2:8080',
        mode: 'nat',
        sent: [{ port: 'eth1', packet: expect.stringContaining('10.1.0.2.1024 > 10.2.0.2.8080: Flags [S]') }],
      }),
    ]);
    expect(packets[0]?.steps?.length).toBeGreaterThan(0);
    expect(await state()).toEqual(before);
  });

  it.each([
    ['tcp 10.1.0.2:1024 10.1.0.1:22 S', 'host', 'no-service'],
    ['tcp 10.2.0.2:8080 10.1.0.2:1024 SA', 'director', 'no-service'],
    [`udp 10.1.0.2:9 ${virtual}:53 ttl 1`, 'director', 'port-unreachable'],
    [`tcp 10.1.0.2:1024 ${virtual}:80 S badipsum`, 'director', 'bad-ip-checksum'],
  ])('tells whose %s is', async (words, owner, reason) => {
    const { packets } = await explain('packet', words);
    expect(packets).toEqual([expect.objectContaining({ owner, reason })]);
  });

  it('takes the fragments of a datagram one after another', async () => {
    const { packets } = await explain('packet', `tcp 10.1.0.2:1024 ${virtual}:80 S len 100 fragments 64`);
    expect(packets.map(({ reason }) => reason)).toEqual(['scheduled', 'fragment']);
  });

  it('explains a whole frame, from digits or from a capture', async () => {
    const frame = buildFrame(
      ethernet({ destination: 'ff:ff:ff:ff:ff:ff' }),
      ipv4({ source: '10.1.0.2', destination: virtual }),
      udp({ destinationPort: 80 }),
    );
    const file = join(running.balancer.folder, 'frames.pcap');
    const writer = new CaptureWriter(file, { format: 'pcap' });
    writer.write({ time: 0n, bytes: new Uint8Array(60) });
    writer.write({ time: 0n, bytes: frame });
    writer.close();
    const [typed, captured] = await Promise.all([
      explain('frame', Buffer.from(frame).toString('hex'), '--device', 'eth0'),
      explain('--in', file, '--number', '2', '--device', 'eth0'),
    ]);
    expect(typed.packets).toEqual(captured.packets);
    expect(typed.packets[0]).toMatchObject({ verdict: 'pass' });
  });

  it('assumes the port that a frame is addressed to', async () => {
    const { director } = await running.ask<Status>('status');
    const destination = director?.ports.find(({ name }) => name === 'eth0')?.mac ?? '';
    const frame = buildFrame(
      ethernet({ destination }),
      ipv4({ source: '203.0.113.9', destination: virtual }),
      tcp({ destinationPort: 80, flags: 'S' }),
    );
    const { port, packets } = await explain('frame', Buffer.from(frame).toString('hex'));
    expect(port).toBe('eth0');
    expect(packets).toMatchObject([{ owner: 'director', reason: 'scheduled' }]);
  });

  it('prints text for people', async () => {
    const { stdout, status } = await running.command('explain', 'packet', `tcp 10.1.0.2:1024 ${virtual}:80 S`);
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[1]).toMatch(/^ {3}kept from the host's stack, worker [01] of 2$/);
    expect(lines[2]).toBe('   forward, scheduled: opened a flow; the scheduler chose the real server');
    expect(lines[3]).toBe(`   tcp ${virtual}:80, real server 10.2.0.2:8080, nat`);
    expect(stdout).toMatch(/nothing was sent, opened or counted; the worker stood still for \d+ µs\n$/);
  });

  it.each([
    [['packet', 'tcp 10.1.0.2 1.2.3.4:80 S'], 2, 'packet:1:5: source must be ADDRESS:PORT'],
    [
      ['packet', 'tcp 10.1.0.2:1 1.2.3.4:80 S', '--device', 'eth9'],
      2,
      'there is no such device: "eth9" (use one of eth0, eth1)',
    ],
    [['packet', 'tcp 203.0.113.1:1 1.2.3.4:80 S'], 2, 'say so with --device: eth0, eth1'],
    [['frame', '00', '--device', 'eth0'], 2, 'no frame that a port could have received'],
    [['packet', 'tcp 10.1.0.2:1 1.2.3.4:80 S', '--port', 'eth0'], 2, "unknown option '--port' (use --device"],
    [['frame', '0'], 2, 'parameter frame: frame must be an even number of hexadecimal digits: "0"'],
    [['frame'], 2, 'it is not clear which packet to explain'],
    [['packet', 'tcp 10.1.0.2:1 1.2.3.4:80 S', '--mark', 'x'], 2, 'not a firewall mark'],
  ])('says what is wrong with %j', async (words, status, problem) => {
    const ending = await running.command('explain', ...words);
    expect(ending).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(problem) });
  });
});
