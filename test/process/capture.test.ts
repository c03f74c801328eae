// SPDX-License-Identifier: Apache-2.0
// `sluice capture`: tshark reads its files.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

/** What tshark prints for each frame: device, source and destination port, comment. */
function frames(file: string): string[] {
  const fields = ['frame.interface_name', 'tcp.srcport', 'tcp.dstport', 'frame.comment'];
  const words = ['-r', file, '-T', 'fields', '-E', 'separator=|', ...fields.flatMap(field => ['-e', field])];
  const { stdout, status, stderr } = spawnSync('tshark', words, { encoding: 'utf8' });
  expect({ status, stderr: stderr.replace(/^Running as user .*\n/, '') }).toEqual({ status: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

describeAsRoot('sluice capture', () => {
  let running: RunningSluice;
  let files = 0;
  beforeAll(async () => {
    running = await RunningSluice.start();
    // After this the neighbours are known.
    await running.request();
  });
  afterAll(() => running?.stop());

  /** Captures until `work` is done, or the capture ends by itself. */
  async function capture(work: () => Promise<unknown>, ...words: string[]): Promise<{ file: string; said: string }> {
    files += 1;
    const file = join(running.balancer.folder, `capture-${files}.pcapng`);
    const program = running.startCommand('capture', '-w', file, ...words);
    await program.logs('Ctrl-C ends', 0);
    await work();
    if (!words.includes('--count')) program.kill('SIGINT');
    const { status } = await program.ending;
    expect(status).toBe(0);
    return { file, said: program.stderr };
  }

  it('has the packets that came, what was decided, and the frames that left, and ends with a complete file', async () => {
    const { file, said } = await capture(() => running.request(), '--protocol', 'tcp');
    const [first = '', second = ''] = frames(file);
    expect(first).toMatch(
      /^eth0\|\d+\|80\|forward, scheduled: tcp 192\.0\.2\.10:80, real server 10\.2\.0\.2:8080, nat$/,
    );
    expect(second).toMatch(/^eth1\|\d+\|8080\|sent for frame 1$/);
    expect(frames(file)).toContainEqual(expect.stringMatching(/^eth1\|8080\|\d+\|forward, reply: tcp/));
    expect(said).toMatch(/\d+ packets in \d+ frames\n$/);
    const { status } = spawnSync('tcpdump', ['-r', file]);
    expect(status).toBe(0);
  });

  it('ends by itself after so many packets, with their frames', async () => {
    const { file, said } = await capture(
      () => running.request(),
      '--count',
      '2',
      '--host',
      virtual,
      '--reason',
      'established',
    );
    expect(said).toContain('2 packets in 4 frames');
    expect(frames(file).map(line => line.replace(/\|\d+\|/, '|*|'))).toEqual([
      expect.stringMatching(/^eth0\|\*\|80\|forward, established: /),
      'eth1|*|8080|sent for frame 1',
      expect.stringMatching(/^eth0\|\*\|80\|forward, established: /),
      'eth1|*|8080|sent for frame 3',
    ]);
  });

  it('has only packets that match its filters', async () => {
    const { file } = await capture(
      () => running.request(),
      ...['--service', `tcp ${virtual}:80`, '--device', 'eth1', '--verdict', 'forward', '--port', '8080'],
    );
    const came = frames(file).filter(line => !line.endsWith('sent for frame 1') && !/sent for/.test(line));
    expect(came.length).toBeGreaterThan(0);
    for (const line of came) expect(line).toMatch(/^eth1\|8080\|\d+\|forward, reply: /);
  });

  it('runs once at a time, and again after the first has ended', async () => {
    await capture(async () => {
      const file = join(running.balancer.folder, 'second.pcapng');
      const { status, stderr } = await running.command('capture', '-w', file);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: 'sluice: another capture runs (wait for its end, or end it)\n',
      });
      expect(existsSync(file)).toBe(false);
    });
    await capture(() => running.request());
  });

  it.each([
    [['-w', 'x', '--host', '10.1'], 'not an address: "10.1"'],
    [['-w', 'x', '--reason', 'nothing'], 'there is no such reason: "nothing" (use one of established'],
    [['-w', 'x', '--device', 'eth7'], 'there is no such device: "eth7" (use one of eth0, eth1)'],
    [['-w', 'x', '--service', 'tcp 1.2.3.4:5'], `such as tcp ${virtual}:80`],
    [
      ['-w', 'x', '--protocol', 'tpc'],
      'parameter protocol: protocol is not one of the known words: "tpc" (did you mean tcp?)',
    ],
    [['-w', 'x', '--port', 'eth0'], 'a network device is named by --device'],
    [['-w', 'x', '--port-number', '80'], "unknown option '--port-number' (use --port)"],
    [['-w', 'x', '--count', '0'], '--count is not a number above zero: "0"'],
    [[], 'no file is given (give -w FILE.pcapng)'],
  ])('says what is wrong with %j', async (words, problem) => {
    const { status, stderr } = await running.command('capture', ...words);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(problem) });
  });
});
