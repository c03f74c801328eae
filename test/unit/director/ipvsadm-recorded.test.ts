// SPDX-License-Identifier: Apache-2.0
// The real ipvsadm and the kernel, recorded (test/golden/ipvsadm), against the parser, the table and the listings.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatServices, formatTimeouts, idleView, type ListOptions } from '../../../src/director/ipvsadm/listing.ts';
import { applyLine } from '../../../src/director/ipvsadm/rules.ts';
import { formatRules } from '../../../src/director/ipvsadm/save.ts';
import { ServiceTable } from '../../../src/director/ipvsadm/table.ts';
import { systemPortNames } from '../../../src/director/ipvsadm/values.ts';
import { type DirectorModel, emptyDirectorModel } from '../../../src/director/model.ts';
import { readCases, readRecorded } from '../../golden/ipvsadm/cases.ts';

const golden = (name: string) => readFileSync(new URL(`../../golden/ipvsadm/${name}`, import.meta.url), 'utf8');

interface Answer {
  readonly output: readonly string[];
  readonly status: number;
}

interface Recording {
  readonly answers: readonly Answer[];
  readonly parts: ReadonlyMap<string, string>;
}

function readRecordings(text: string): Recording[] {
  return readRecorded(text).map(({ answers, parts }) => ({
    answers: readAnswers(answers),
    parts: new Map(parts.map(readPart)),
  }));
}

function readAnswers(text: string): Answer[] {
  const answers: Answer[] = [];
  let output: string[] = [];
  for (const line of text.split('\n').filter(line => line.startsWith('sh| '))) {
    const said = line.slice('sh| '.length);
    const status = /^=> (\d+)$/.exec(said);
    if (status === null) output.push(said);
    else {
      answers.push({ output: output.filter(line => line !== ''), status: Number(status[1]) });
      output = [];
    }
  }
  return answers;
}

function readPart(text: string): [string, string] {
  const [name = '', ...lines] = text.split('\n');
  const said = lines.filter(line => line.startsWith('sh| ')).map(line => `${line.slice('sh| '.length)}\n`);
  return [name, said.join('')];
}

// Where Sluice refuses what ipvsadm takes, or the other way round, so that the tables differ: the command, and why.
const otherTables = new Map([
  ['-A -t 10.0.1.14:80 -s twos', 'the recorded kernel has no module for it'],
  ['-A -t 10.0.1.100:80 -s ""', 'a file of rules has no quotes'],
  ['-A -t [fd00::6]:80 -p -M 64x', 'atoi ignores what follows a number; a typing mistake is refused here'],
  ['ipvsadm -A -t 10.0.0.12:80', "ipvsadm -R takes the program's name too, at the beginning of a line"],
]);

// Refused by both, in other words.
const otherWords = new Map([
  ['-A -t 10.0.1.100:80 -s abcdefghijklmnopqrstuvwxyz', 'the scheduler is looked up before the service'],
  ['-z', 'the option is named'],
  ['--bogus', 'the option is named'],
]);
const isDifferent = (command: string) => otherTables.has(command) || otherWords.has(command);

const otherwise: Readonly<Record<string, string>> = {
  'Numerical result out of range': 'Numerical result out of range: the lower threshold is above the upper',
  'Invalid operation.  Possibly wrong module version, address not unicast, ...':
    'Invalid operation: address not unicast',
  "Try `ipvsadm -h' or 'ipvsadm --help' for more information.": 'the line does not begin with a command',
};

const cases = readCases(golden('commands.txt'));
const recordings = readRecordings(golden('commands.recorded'));

function play(commands: readonly string[]): { problems: (string | undefined)[]; model: DirectorModel } {
  const table = new ServiceTable(emptyDirectorModel);
  const problems = commands.map(command => applyLine(table, command.replace('""', ''), systemPortNames())?.problem);
  return { problems, model: table.model() };
}

// Commands that print, and those of the daemon, change nothing that a model has.
const isAboutModel = (command: string) => !/^(?:-[LSZ]|--(?:start|stop)-daemon)/.test(command);

it('there is a recording of every case', () => {
  expect(recordings.length).toBe(cases.length);
});

describe.each(cases.map((commands, index) => ({ commands, index, name: commands[0] })))(
  'case $index ($name)',
  ({ commands, index }) => {
    const recording = recordings[index];
    const { problems, model } = play(commands);

    it('answers every command as ipvsadm does', () => {
      const expected = commands.map((_command, at) => {
        const { output = [], status = 0 } = recording?.answers[at] ?? {};
        const said = output.join('\n');
        return status === 0 ? undefined : (otherwise[said] ?? said);
      });
      const same = commands.flatMap((command, at) => (isAboutModel(command) && !isDifferent(command) ? [at] : []));
      expect(same.map(at => [commands[at], problems[at]])).toEqual(same.map(at => [commands[at], expected[at]]));
    });

    if (commands.some(command => otherTables.has(command))) return;

    it('has the same table as the kernel afterwards', () => {
      const views = model.services.map(idleView);
      const { established, fin_wait } = model.timeouts.tcp;
      expect(formatRules(model).text).toBe(recording?.parts.get('save'));
      expect(formatServices(views, { format: 'tun-info' })).toBe(recording?.parts.get('tunnels'));
      expect(formatTimeouts(established, fin_wait, model.timeouts.udp.normal)).toBe(recording?.parts.get('timeouts'));
      // Without sorting the kernel prints services by their place in a hash table.
      const blocks = (text: string) => text.split(/\n(?! )/).toSorted();
      const unsorted = (options: ListOptions) => blocks(formatServices(views, { sorted: false, ...options }));
      expect(unsorted({})).toEqual(blocks(recording?.parts.get('list') ?? ''));
      expect(unsorted({ format: 'thresholds' })).toEqual(blocks(recording?.parts.get('thresholds') ?? ''));
    });
  },
);
