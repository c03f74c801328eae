// SPDX-License-Identifier: Apache-2.0
// `sluice man`: the manual page of sluice, or of one of its commands.
import { UsageError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import { type Command, optionalWord, parseOptions, print } from './command.ts';
import { type CommandRow, commands } from './commands.ts';
import { manPage, overviewPage, pageOf } from './help/man-page.ts';
import { parseUsage } from './help/usage-text.ts';

const usage = `Usage: sluice man [COMMAND]

Prints the manual page of COMMAND, or of sluice, for man(1). The Debian package installs all of them.

  $ sluice man drain | man -l -
`;

const source = `Sluice ${version}`;

export const manCommand: Command = {
  usage,
  async run(args) {
    const name = optionalWord(parseOptions(args, {}, { takesWords: true }));
    if (name === undefined) {
      print(overviewPage(source, commands));
      return 0;
    }
    const row = commands.find(each => each.name === name);
    if (row === undefined) {
      throw new UsageError('there is no such command', { value: name, remedy: 'sluice --help lists the commands' });
    }
    print(await pageOfCommand(row));
    return 0;
  },
};

/** All pages, by the names of their files. */
export async function manPages(): Promise<ReadonlyMap<string, string>> {
  const pages = commands.map(async row => [`${pageOf(row.name)}.8`, await pageOfCommand(row)] as const);
  return new Map([['sluice.8', overviewPage(source, commands)], ...(await Promise.all(pages))]);
}

async function pageOfCommand({ name, summary, load }: CommandRow): Promise<string> {
  const { usage: text } = await load();
  return manPage({ name: pageOf(name), summary, source }, parseUsage(text), ['sluice']);
}
