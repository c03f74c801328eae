// SPDX-License-Identifier: Apache-2.0
// What holds for every command.
import { describe, expect, it } from 'vitest';
import { commands } from '../../../src/cli/commands.ts';
import { UsageError } from '../../../src/core/errors.ts';

/** Words of which a command needs some before it looks at others. */
const needed: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['check', 'diff', 'apply', 'show', 'rollback', 'export', 'drain', 'completion', 'man', 'doctor'].map(name => [
      name,
      ['word'],
    ]),
  ),
  replay: ['--net', 'examples/demo/net.yaml', '--rules', 'x', '--in', 'c0=x', '--out', 'x'],
};

/** ipvsadm's words are ipvsadm's own: what is wrong with them says the running Sluice, as ipvsadm says it. */
const withWordsOfOurs = commands.filter(({ name }) => name !== 'ipvsadm');

describe.each(withWordsOfOurs.map(row => [row.name, row] as const))('sluice %s', (name, row) => {
  const errorOf = async (...words: string[]): Promise<unknown> => {
    const command = await row.load();
    return await command.run(words).then(
      () => undefined,
      error => error,
    );
  };

  it('refuses a word that it does not expect, before it does anything', async () => {
    const error = await errorOf(...(needed[name] ?? []), 'foo');
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ exitStatus: 2, value: 'foo', remedy: expect.any(String) });
  });

  it('refuses an option that it does not know', async () => {
    expect(await errorOf('--foo')).toMatchObject({ exitStatus: 2, problem: "unknown option '--foo'" });
  });

  it('calls ports of TCP and UDP --port, and devices --device', async () => {
    const { usage } = await row.load();
    expect(usage).not.toMatch(/--port-number|--interface|--port (PORT|NAME|DEVICE)/);
    expect(usage).not.toMatch(/--device (N|PORT)\b/);
  });

  it('has a usage that begins with its name', async () => {
    expect((await row.load()).usage).toMatch(new RegExp(`^Usage: sluice ${name}\\b`));
  });
});

it.each([
  ['explain', ['packet', 'x', '--port', 'eth0'], "unknown option '--port'", 'use --device for the device on which'],
  ['capture', ['-w', 'x', '--port-number', '80'], "unknown option '--port-number'", 'use --port'],
  ['capture', ['-w', 'x', '--port', 'eth0'], 'not a port number', '--device'],
  ['capture', ['-w', 'x', '--divice', 'eth0'], "unknown option '--divice'", 'did you mean --device?'],
])('sluice %s %j says what to write instead', async (name, words, problem, remedy) => {
  const command = await commands.find(row => row.name === name)?.load();
  const error = await command?.run(words).catch(each => each);
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({ problem, remedy: expect.stringContaining(remedy) });
});
