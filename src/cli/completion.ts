// SPDX-License-Identifier: Apache-2.0
// `sluice completion`: a script by which a shell completes sluice's commands.
import { UsageError } from '../core/errors.ts';
import { type Command, onlyWord, parseOptions, print } from './command.ts';
import { commands } from './commands.ts';
import { bashCompletion } from './help/completion.ts';
import { parseUsage } from './help/usage-text.ts';

const usage = `Usage: sluice completion SHELL

Prints a script by which SHELL, bash or zsh, completes sluice's commands, their options, files, and the real servers and
services of the running Sluice. The Debian package installs it. For a shell that runs:

  bash            source <(sluice completion bash)
  zsh             autoload -U compinit bashcompinit; compinit; bashcompinit; source <(sluice completion zsh)
`;

export const completionCommand: Command = {
  usage,
  async run(args) {
    const shell = onlyWord(parseOptions(args, {}, { takesWords: true }), 'a shell');
    if (shell !== 'bash' && shell !== 'zsh') {
      throw new UsageError('there is no completion for this shell', { value: shell, remedy: 'use bash or zsh' });
    }
    print(await completionScript());
    return 0;
  },
};

export async function completionScript(): Promise<string> {
  const loaded = commands.map(async ({ name, load }) => ({ name, usage: parseUsage((await load()).usage) }));
  return bashCompletion(await Promise.all(loaded));
}
