// SPDX-License-Identifier: Apache-2.0
// `sluice schema`: the JSON Schema of a sluice.yaml, by which an editor completes and checks it.
import { documentFormat } from '../daemon/document.ts';
import { type Command, parseOptions, print } from './command.ts';

const usage = `Usage: sluice schema

Prints the JSON Schema of a sluice.yaml. An editor with a YAML language server completes and checks a file whose first line is

  # yaml-language-server: $schema=PATH

where PATH is the file that this output was written to.
`;

export const schemaCommand: Command = {
  usage,
  async run(args) {
    parseOptions(args, {});
    print(`${JSON.stringify(documentFormat.schema, undefined, 2)}\n`);
    return 0;
  },
};
