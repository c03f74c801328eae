// SPDX-License-Identifier: Apache-2.0
// Manual pages and completion, which are made of the usages: judged by mandoc, and completed by the shells themselves.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../../src/cli/commands.ts';
import { completionScript } from '../../../src/cli/completion.ts';
import { optionsOf, parseUsage, subcommandsOf } from '../../../src/cli/help/usage-text.ts';
import { manPages } from '../../../src/cli/man.ts';

/** How a terminal shows bold letters. */
const overstruck = new RegExp(`.${String.fromCharCode(8)}`, 'g');

describe('a usage', () => {
  const text = parseUsage(`Usage: sluice feed ANIMAL [--with FOOD]
                   [OPTION…]
       sluice feed all [OPTION…]

Feeds an animal. The second line
of the same paragraph.

  $ sluice feed cat

Two kinds of food:
  -w, --with FOOD   what it gets: fish, or
                    hay
                      hay is for horses
  --slowly          take time
`);

  it('has synopses, paragraphs, examples and items', () => {
    expect(text.synopses).toEqual(['sluice feed ANIMAL [--with FOOD] [OPTION…]', 'sluice feed all [OPTION…]']);
    expect(text.parts).toEqual([
      { kind: 'paragraph', text: 'Feeds an animal. The second line of the same paragraph.' },
      { kind: 'verbatim', lines: ['  $ sluice feed cat'] },
      { kind: 'paragraph', text: 'Two kinds of food:' },
      {
        kind: 'items',
        items: [
          { term: '-w, --with FOOD', text: ['what it gets: fish, or', 'hay', '  hay is for horses'] },
          { term: '--slowly', text: ['take time'] },
        ],
      },
    ]);
  });

  it('has options and subcommands', () => {
    expect(optionsOf(text)).toEqual([
      { names: ['-w', '--with'], value: 'FOOD' },
      { names: ['--slowly'], value: undefined },
    ]);
    expect(subcommandsOf(text)).toEqual(['all']);
  });

  it.each(commands.map(({ name, load }) => [name, load] as const))('of %s is told apart whole', async (_name, load) => {
    const { usage } = await load();
    const parsed = parseUsage(usage);
    const words = parsed.parts.flatMap(part => {
      if (part.kind === 'paragraph') return [part.text];
      return part.kind === 'verbatim' ? part.lines : part.items.flatMap(({ term, text: lines }) => [term, ...lines]);
    });
    const plain = (lines: string): string => lines.replaceAll(/\s+/g, ' ').trim();
    expect(plain(`Usage: ${[...parsed.synopses, ...words].join(' ')}`)).toBe(plain(usage));
    // Each option that the text names at the beginning of a line is one.
    const named = [...usage.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option]) => option);
    expect(optionsOf(parsed).map(({ names }) => names.at(-1))).toEqual(named);
  });
});

describe('files of the help', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-help-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are manual pages without a warning of mandoc', async () => {
    for (const [name, page] of await manPages()) {
      const file = join(folder, name);
      writeFileSync(file, page);
      const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', file], { encoding: 'utf8' });
      // A page belongs to a version, not to a day.
      const warnings = stdout.split('\n').filter(line => line !== '' && !line.includes('missing date'));
      expect(warnings, name).toEqual([]);
    }
    const shown = execFileSync('mandoc', ['-T', 'utf8', '-O', 'width=100', join(folder, 'sluice-drain.8')], {
      encoding: 'utf8',
    });
    const plain = shown.replaceAll(overstruck, '');
    expect(plain).toContain('sluice drain SERVER [OPTION...]');
    expect(plain).toMatch(/--undo\s+the maintenance is over/);
  });

  /** Real servers and services, as the native client prints them. */
  const client = `#!/bin/sh
cat <<'END'
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.1.100:80 wlc
  -> 10.0.2.11:8080               Masq    1      0          0
  -> 10.0.2.12:8080               Masq    1      0          0
END
`;

  const completed = async (shell: 'bash' | 'zsh', line: string): Promise<string[]> => {
    const script = join(folder, 'completion');
    writeFileSync(script, await completionScript());
    writeFileSync(join(folder, 'sluice-ipvsadm'), client, { mode: 0o755 });
    const asks = {
      bash: `COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDBREAKS=$' :='; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`,
      // What bashcompinit's completer sets before it asks.
      zsh: `words=(\${(z)1}); [[ $1 == *' ' ]] && words+=(''); CURRENT=\${#words}
            COMP_LINE=$1 COMP_POINT=\${#1}; compgen -F _sluice -- "\${words[CURRENT]}"`,
    };
    const starts = { bash: '', zsh: 'autoload -U compinit bashcompinit; compinit -u -D; bashcompinit' };
    const file = join(folder, 'ask');
    writeFileSync(file, `${starts[shell]}\nsource ${script}\n${asks[shell]}\n`);
    const { stdout, stderr } = spawnSync(shell, [file, line], {
      encoding: 'utf8',
      cwd: folder,
      env: { PATH: `${folder}:${process.env.PATH}` },
    });
    expect(stderr).toBe('');
    // The completer of zsh leaves out what does not begin as the word.
    const last = shell === 'zsh' ? (line.split(' ').at(-1) ?? '') : '';
    return stdout.split('\n').filter(word => word !== '' && word.startsWith(last));
  };

  it.each<[string, string[]]>([
    ['sluice dr', ['drain']],
    ['sluice drain --de', ['--deadline']],
    ['sluice drain 10.0.2.1', ['10.0.2.11:8080', '10.0.2.12:8080']],
    ['sluice drain 10.0.2.11:8', ['8080']],
    ['sluice connections --server 10.0.2.12:', ['8080']],
    ['sluice health --service ', ['10.0.1.100:80']],
    ['sluice explain s', ['server', 'service']],
    ['sluice explain server 10.0.2.11', ['10.0.2.11:8080']],
    ['sluice drain --reason ', []],
    ['sluice apply comp', ['completion']],
    ['sluice confirm ', []],
  ])('complete in bash: %s', async (line, words) => {
    expect(await completed('bash', line)).toEqual(words);
  });

  it.each<[string, string[]]>([
    ['sluice dr', ['drain']],
    ['sluice drain --de', ['--deadline']],
    ['sluice drain 10.0.2.11:8', ['10.0.2.11:8080']],
    ['sluice health --service ', ['10.0.1.100:80']],
    ['sluice explain server 10.0.2.11', ['10.0.2.11:8080']],
    ['sluice apply comp', ['completion']],
  ])('complete in zsh: %s', async (line, words) => {
    expect(await completed('zsh', line)).toEqual(words);
  });

  it('are read by bash and zsh without a complaint', async () => {
    const file = join(folder, 'sluice.bash');
    writeFileSync(file, await completionScript());
    expect(readFileSync(file, 'utf8')).toContain('_sluice');
    for (const shell of ['bash', 'zsh']) expect(spawnSync(shell, ['-n', file], { encoding: 'utf8' }).stderr).toBe('');
  });
});
