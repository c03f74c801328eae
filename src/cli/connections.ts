// SPDX-License-Identifier: Apache-2.0
// `sluice connections`: the table of connections of the running director.
import type { ApiClient } from '../core/api/client.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { directorConnections } from '../director/api.ts';
import { formatConnections } from '../director/ipvsadm/listing.ts';
import { byEndpoints } from '../director/views.ts';
import type { Command, ParsedOptions } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';

const usage = `Usage: sluice connections [OPTION…]

Prints the connections of the running director as \`ipvsadm -Lnc\` does.

  --service NAME  only those of this virtual service, such as 'tcp 10.0.1.100:80'
  --client ADDR   only those of this client
${commonUsage}
`;

const options = { service: { type: 'string' }, client: { type: 'string' } } as const;

type Connection = AnswerOf<typeof directorConnections>;

async function ask(client: ApiClient, { values }: ParsedOptions): Promise<Connection[]> {
  const [service] = values.get('service') ?? [];
  const [address] = values.get('client') ?? [];
  const parameters = {
    ...(service === undefined ? {} : { service }),
    ...(address === undefined ? {} : { client: address }),
  };
  const rows: Connection[] = [];
  for await (const row of client.stream(directorConnections, parameters)) rows.push(row);
  return rows.sort(byEndpoints);
}

export const connectionsCommand: Command = {
  usage,
  run: args => askAndPrint(args, { options, ask, text: rows => formatConnections(rows) }),
};
