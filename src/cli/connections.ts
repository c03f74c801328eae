// SPDX-License-Identifier: Apache-2.0
// `sluice connections`: the table of connections of the running director.
import type { ApiClient } from '../core/api/client.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { directorConnectionCount, directorConnections, directorEndConnections } from '../director/api.ts';
import { formatConnections } from '../director/ipvsadm/listing.ts';
import { byEndpoints } from '../director/views.ts';
import type { Command, ParsedOptions } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { author } from './terms.ts';

const usage = `Usage: sluice connections [OPTION…]

Prints the connections of the running director as \`ipvsadm -Lnc\` does. The director looks for those that are wanted: what
is not wanted costs little.

  --service NAME  only those of this virtual service, such as 'tcp 10.0.1.100:80' or 'mark 7'
  --server ADDR   only those of this real server, by its address or by address and port
  --client ADDR   only those of this client
  --protocol P    only those of tcp, udp or sctp
  --state STATE   only those in this state, such as ESTABLISHED
  --count         only how many there are
  --end           end them, and print how many were ended: the next packet of a TCP connection is reset, that of a UDP flow
                  is scheduled anew
${commonUsage}
`;

const options = {
  service: { type: 'string' },
  server: { type: 'string' },
  client: { type: 'string' },
  protocol: { type: 'string' },
  state: { type: 'string' },
  count: { type: 'boolean' },
  end: { type: 'boolean' },
} as const;

const protocols = ['tcp', 'udp', 'sctp'] as const;

type Connection = AnswerOf<typeof directorConnections>;
type Count = AnswerOf<typeof directorConnectionCount>;

async function ask(client: ApiClient, { values, flags }: ParsedOptions): Promise<readonly Connection[] | Count> {
  const [service, server, address, state] = (['service', 'server', 'client', 'state'] as const).map(
    name => values.get(name)?.[0],
  );
  if (flags.has('end') && flags.has('count')) {
    throw new UsageError('--end does not go with --count', { remedy: 'count first, then end' });
  }
  const protocol = protocolOf(values.get('protocol')?.[0]);
  const wanted = given({ service, server, client: address, protocol, state });
  if (flags.has('end')) return await client.call(directorEndConnections, { ...wanted, author: author() });
  if (flags.has('count')) return await client.call(directorConnectionCount, wanted);
  const rows: Connection[] = [];
  for await (const row of client.stream(directorConnections, wanted)) rows.push(row);
  return rows.sort(byEndpoints);
}

function protocolOf(name: string | undefined): (typeof protocols)[number] | undefined {
  const found = protocols.find(each => each === name);
  if (name === undefined || found !== undefined) return found;
  throw new UsageError('there is no such protocol', { value: name, remedy: `use one of ${protocols.join(', ')}` });
}

export const connectionsCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      options,
      ask,
      text: answer => ('count' in answer ? `${answer.count}\n` : formatConnections(answer)),
    }),
};
