// SPDX-License-Identifier: Apache-2.0
// Passes the example captures through the director and prints the verdict on each packet.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Explanation } from '../../src/cli/replay/decision-writer.ts';
import { replay } from '../../src/cli/replay/session.ts';
import { explanationText } from '../../src/cli/replay/text.ts';
import { documentFormat } from '../../src/daemon/document.ts';
import { formatConnections } from '../../src/director/ipvsadm/listing.ts';
import { parseRouteTable } from '../../src/director/route-table.ts';
import { heading, projectRoot } from '../../tools/command.ts';
import { type Style, styled, width } from './style.ts';

const numberWidth = 3;
const portWidth = 3;
/** "consume", a space, and the longest reason: "fragment-of-icmp-error". */
const decisionWidth = 30;
const packetWidth = width - numberWidth - portWidth - decisionWidth - 3;

/** The packet whose explanation is printed: the first that the scheduler sees. */
const explained = 2;

const verdictStyles: Readonly<Record<Explanation['verdict'], Style>> = {
  forward: 'green',
  drop: 'red',
  pass: 'yellow',
  consume: 'cyan',
  deliver: 'green',
};

function row(number: string, port: string, packet: string, decision: string): string {
  const shown = packet.length > packetWidth ? `${packet.slice(0, packetWidth - 1)}…` : packet;
  return [number.padStart(numberWidth), port.padEnd(portWidth), shown.padEnd(packetWidth), decision]
    .join(' ')
    .trimEnd();
}

/** A line for the received packet, and one for each sent packet. */
function rows(explanation: Explanation): string[] {
  const { n, port, packet, verdict, reason, server, mode, sent } = explanation;
  const by = server === undefined ? '' : `${mode} ${server}`;
  const decision = `${styled(verdictStyles[verdict], verdict.padEnd(7))} ${reason}`;
  const out = sent.map(frame => row('', frame.port, frame.packet, by));
  return [row(String(n), port, packet, decision), ...out.map(line => styled('dim', line))];
}

export async function showReplay(): Promise<void> {
  const example = (file: string) => join(projectRoot, 'examples/demo', file);
  const explanations: Explanation[] = [];
  const { connections } = await replay({
    routeTable: parseRouteTable(readFileSync(example('net.yaml'), 'utf8')),
    model: documentFormat.parse(readFileSync(example('sluice.yaml'), 'utf8')).director,
    inputs: [
      { port: 'c0', file: example('client.pcapng') },
      { port: 's0', file: example('servers.pcap') },
    ],
    folder: join(projectRoot, 'out/demo'),
    explain: explanation => explanations.push(explanation),
  });
  heading('what the director does: clients on c0, servers on s0');
  console.log(styled('bold', row('#', 'on', 'received packet, and below it the sent packets', 'verdict and reason')));
  for (const explanation of explanations) for (const line of rows(explanation)) console.log(line);
  heading('connections, as ipvsadm -Lnc lists them');
  process.stdout.write(formatConnections(connections));
  heading(`why packet ${explained} was sent there`);
  process.stdout.write(
    explanations
      .filter(one => one.n === explained)
      .map(explanationText)
      .join(''),
  );
  console.log('examples/demo has the captures and the configuration, out/demo the sent packets. The same by hand:');
  console.log('  npx sluice replay --net examples/demo/net.yaml --config examples/demo/sluice.yaml \\');
  console.log('    --in c0=examples/demo/client.pcapng --in s0=examples/demo/servers.pcap --out out/demo --explain');
}
