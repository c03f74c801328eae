// SPDX-License-Identifier: Apache-2.0
// `sluice check`: whether a sluice.yaml can be read and means something. No running Sluice is asked.
import { type Command, onlyWord, parseOptions, print } from './command.ts';
import { snapshotOf } from './document.ts';

const usage = `Usage: sluice check FILE [--json]

Reads the sluice.yaml FILE (- for standard input) and says what is wrong with it, with line and column; otherwise the id of
its snapshot. Whether a running Sluice can bring it into force is told by sluice apply --dry-run.

  --json          print one JSON document instead of text
`;

export const checkCommand: Command = {
  usage,
  async run(args) {
    const parsed = parseOptions(args, { json: { type: 'boolean' } }, { takesWords: true });
    const file = onlyWord(parsed, 'a sluice.yaml');
    const { id } = await snapshotOf(file);
    print(parsed.flags.has('json') ? `${JSON.stringify({ id })}\n` : `${file} is valid: snapshot ${id}\n`);
    return 0;
  },
};
