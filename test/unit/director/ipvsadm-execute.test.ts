// SPDX-License-Identifier: Apache-2.0
// The real ipvsadm and the kernel, recorded (test/golden/ipvsadm): the same words, output and status.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { executeIpvsadm, type Kernel } from '../../../src/director/ipvsadm/execute.ts';
import { idleView } from '../../../src/director/ipvsadm/listing.ts';
import { emptyDirectorModel } from '../../../src/director/model.ts';
import { readCases, readRecorded } from '../../golden/ipvsadm/cases.ts';

const golden = (name: string) => readFileSync(new URL(`../../golden/ipvsadm/${name}`, import.meta.url), 'utf8');
const cases = readCases(golden('commands.txt'));
const recordings = readRecorded(golden('commands.recorded'));

// What Sluice answers otherwise, and why.
const otherwise = new Map([['-A -t 10.0.1.14:80 -s twos', 'the recorded kernel has no module for it']]);

const kernel: Omit<Kernel, 'model'> = {
  views: async services => services.map(idleView),
  connections: async () => [],
  hostNames: async () => () => undefined,
  hostAddress: async () => undefined,
  zero: async () => undefined,
};

/** What each command prints, and its status. */
async function play(commands: readonly string[]): Promise<string[]> {
  let model = emptyDirectorModel;
  const answers: string[] = [];
  for (const command of commands) {
    const args = command.split(' ').map(word => (word === '""' ? '' : word));
    const reply = await executeIpvsadm(args, '', { ...kernel, model });
    model = reply.model;
    const lines = `${reply.stderr}${reply.stdout}=> ${reply.status}`.split('\n');
    answers.push(lines.map(line => `sh| ${line}\n`).join(''));
  }
  return answers;
}

const answersIn = (recording: string): string[] => recording.match(/(?:sh\| (?!=>).*\n)*sh\| => \d+\n/g) ?? [];

describe.each(cases.map((commands, index) => ({ commands, index, name: commands[0] })))(
  'case $index ($name)',
  ({ commands, index }) => {
    it('is answered as by ipvsadm', async () => {
      const [played, recorded] = [await play(commands), answersIn(recordings[index]?.answers ?? '')];
      const same = commands.flatMap((command, at) => (otherwise.has(command) ? [] : [[command, played[at]]]));
      const wanted = commands.flatMap((command, at) => (otherwise.has(command) ? [] : [[command, recorded[at]]]));
      expect(same).toEqual(wanted);
    });
  },
);

describe('a restored file', () => {
  const restore = async (input: string) => {
    const { model, ...reply } = await executeIpvsadm(['-R'], input, { ...kernel, model: emptyDirectorModel });
    return { ...reply, services: model.services.length };
  };

  it('goes on after what the kernel refuses and after unknown options, and the last line decides on the status', async () => {
    const lines = [
      '-A -t 10.0.1.1:80',
      'ipvsadm -A -t 10.0.1.1:80',
      '-A -t 10.0.1.2:80 --bogus',
      '',
      '-A -t 10.0.1.3:80',
    ];
    expect(await restore(lines.join('\n'))).toEqual({
      stdout: '',
      stderr: 'Service already exists\n--bogus: unknown option\n',
      status: 0,
      services: 2,
    });
  });

  it('ends at an argument that is wrong, and keeps what came before', async () => {
    expect(await restore('-A -t 10.0.1.1:80\n-A -t 10.0.1.2:80 -s rr extra\n-A -t 10.0.1.3:80\n')).toEqual({
      stdout: '',
      stderr: 'unexpected argument extra\n',
      status: 2,
      services: 1,
    });
  });

  it('may list what it has made so far', async () => {
    const { stdout } = await restore('-A -t 10.0.1.1:80 -s rr\n-S -n\n-C\n-S -n\n');
    expect(stdout).toBe('-A -t 10.0.1.1:80 -s rr\n');
  });
});

describe('lists and rules of hosts that have names', () => {
  const script = golden('names.sh');
  const hosts = new Map(
    [...script.matchAll(/^([\da-f.:]+) (\S+)/gm)].map(([, address = '', name = '']) => [address, name]),
  );
  const named = { ...kernel, hostNames: async () => (address: string) => hosts.get(address) };
  const sections = golden('names.recorded')
    .split(/^mark /m)
    .slice(1);

  it.each(sections.map(text => [text.slice(0, text.indexOf('\n')), text] as const))(
    'are those of ipvsadm %s',
    async (words, text) => {
      const commands = [...script.matchAll(/ipvsadm (-[Aa] [^;']+)/g)].map(match => match[1]);
      const { model } = await executeIpvsadm(['-R'], commands.join('\n'), { ...named, model: emptyDirectorModel });
      const { stdout } = await executeIpvsadm(words.split(' '), '', { ...named, model });
      const recorded = text.slice(text.indexOf('\n') + 1).replaceAll(/^sh\| /gm, '');
      expect(stdout).toBe(recorded);
    },
  );
});

it('prints the usage of ipvsadm in a restored file, and passes over the rest of it', async () => {
  const usage = golden('usage.txt');
  const model = emptyDirectorModel;
  const reply = await executeIpvsadm(['-R'], '-h\n-A -t 10.0.1.1:80\n', { ...kernel, model });
  expect(reply).toEqual({ stdout: usage, stderr: '', status: 0, model });
  const { stdout } = await executeIpvsadm(['-v'], '', { ...kernel, model });
  expect(stdout).toBe(usage.slice(0, usage.indexOf('\n') + 1));
});
