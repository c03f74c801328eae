// SPDX-License-Identifier: Apache-2.0
// `sluice explain`: prints what the running director would do with a packet, and why; or why a service, or a real server,
// gets connections or none. Nothing is sent.

import { openCapture } from '../capture/capture-reader.ts';
import { linkTypes } from '../capture/link-type.ts';
import { controlExplain } from '../control/api.ts';
import type { ApiClient } from '../core/api/client.ts';
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { directorExplain } from '../director/api.ts';
import type { Command, ParsedOptions } from './command.ts';
import { type SubjectExplanation, subjectText } from './explain/findings.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { decisionLines } from './replay/text.ts';

const usage = `Usage: sluice explain packet 'WORDS' [OPTION…]
       sluice explain frame HEX [OPTION…]
       sluice explain --in FILE [--number N] [OPTION…]
       sluice explain server SERVER [OPTION…]
       sluice explain service SERVICE [OPTION…]

Prints what the running director would do with a packet that arrives now: whether the host's stack would get it, which
worker would, and each step of the decision. A copy of the director decides: nothing is sent, opened or counted.

With server or service: why it gets new connections or none. The first line is the verdict; the evidence and what to do
follow. Lines with ! are the reasons.

  WORDS           such as  tcp 10.0.1.2:1024 10.0.1.100:80 S
                           udp [2001:db8::2]:5353 [2001:db8::100]:53 len 40 ttl 3
                           icmp 10.0.2.11 10.0.1.2 unreachable port about (udp 10.0.1.2:9 10.0.2.11:53)
                  docs/running.md lists all words. Fragments of a datagram are explained one after another
  HEX             a whole Ethernet frame
  SERVER          a real server, by its address, or by address and port
  SERVICE         a virtual service, such as 'tcp 192.0.2.10:80', or its address, or address and port
  --service NAME  explain the server in this service only
  --client ADDR   what a client of this address meets; unless given, one that nobody has
  --in FILE       explain a frame of this capture, pcap or pcapng
  --number N      the number of the frame in the capture; 1 unless given
  --device NAME   the device that receives the packet. Unless given: the device that the frame is addressed to, or the
                  device on the route to the sender
  --mark N        the packet's firewall mark
${commonUsage}
`;

const options = {
  in: { type: 'string' },
  number: { type: 'string' },
  device: { type: 'string' },
  mark: { type: 'string' },
  service: { type: 'string' },
  client: { type: 'string' },
} as const;

const remedies = { port: 'use --device for the device on which the packet comes' };

type Explanation = AnswerOf<typeof directorExplain>;
type PacketExplanation = Explanation['packets'][number];
type Parameters = ParametersOf<typeof directorExplain>;

function parametersOf({ values, positionals }: ParsedOptions): Parameters {
  const value = (name: string) => values.get(name)?.[0];
  const [device, mark] = [value('device'), value('mark')];
  return {
    ...packetOf(positionals, value('in'), value('number')),
    ...(device === undefined ? {} : { device }),
    ...(mark === undefined ? {} : { mark: markOf(mark) }),
  };
}

function markOf(text: string): number {
  const mark = Number(text);
  if (Number.isInteger(mark) && mark >= 0 && mark <= 0xffff_ffff && text !== '') return mark;
  throw new UsageError('not a firewall mark', { value: text, remedy: 'use a whole number below 2^32' });
}

function packetOf(
  [kind, ...words]: readonly string[],
  file: string | undefined,
  number: string | undefined,
): Pick<Parameters, 'packet' | 'frame'> {
  if (file !== undefined && kind === undefined) return { frame: frameOf(file, number) };
  const isClear = file === undefined && number === undefined && words.length > 0;
  if (kind === 'packet' && isClear) return { packet: words.join(' ') };
  if (kind === 'frame' && isClear) return { frame: words.join('').replaceAll(/[\s:]/g, '') };
  throw new UsageError('it is not clear which packet to explain', {
    value: kind,
    remedy: "give packet 'WORDS', frame HEX, --in FILE, server SERVER or service SERVICE; see sluice explain --help",
  });
}

function frameOf(file: string, number = '1'): string {
  const wanted = Number(number);
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw new UsageError('not the number of a frame', { value: number, remedy: 'frames are numbered from 1' });
  }
  let count = 0;
  for (const packet of openCapture(file)) {
    count += 1;
    if (count < wanted) continue;
    if (packet.linkType !== linkTypes.ethernet || packet.originalLength > packet.bytes.length) {
      throw new UsageError('the frame is not a whole Ethernet frame', {
        place: { file },
        value: wanted,
        remedy: 'capture Ethernet frames in full',
      });
    }
    return packet.bytes.toString('hex');
  }
  throw new UsageError('the capture has fewer frames', { place: { file }, value: wanted, remedy: `it has ${count}` });
}

const ownedTraffic: Readonly<Record<PacketExplanation['owner'], string>> = {
  director: "kept from the host's stack",
  host: "left to the host's stack: the director does not see it. If it did",
  both: "seen by the host's stack too",
  unknown: "whether the host's stack gets it is decided by rules of nftables",
};

function whose(owner: PacketExplanation['owner'], worker: string): string {
  if (owner === 'host') return `${ownedTraffic.host}:`;
  return worker === '' ? ownedTraffic[owner] : `${ownedTraffic[owner]}, ${worker}`;
}

function text({ port, worker, workers, packets, stoodStillMicroseconds }: Explanation): string {
  const by = workers === 1 ? '' : `worker ${worker} of ${workers}`;
  const told = packets.map(({ packet, owner, sent, ...decision }) => [
    `${port}: ${packet}`,
    `   ${whose(owner, by)}`,
    ...decisionLines(decision),
    ...sent.map(frame => `   > ${frame.port}: ${frame.packet}`),
    '',
  ]);
  const note = `nothing was sent, opened or counted; the worker stood still for ${stoodStillMicroseconds.toFixed(0)} µs`;
  return [...told.flat(), note, ''].join('\n');
}

const packetOptions = ['in', 'number', 'device', 'mark'] as const;

/** The service or real server that is asked about; undefined: a packet is. */
function subjectOf({ positionals, values }: ParsedOptions): ParametersOf<typeof controlExplain> | undefined {
  const [kind, ...words] = positionals;
  const isSubject = kind === 'server' || kind === 'service';
  const unfit = (isSubject ? packetOptions : (['service', 'client'] as const)).find(name => values.has(name));
  if (unfit !== undefined && kind !== undefined) {
    throw new UsageError(`--${unfit} does not go with ${kind}`, { remedy: 'sluice explain --help shows the usage' });
  }
  if (!isSubject) return undefined;
  const [service, client] = [values.get('service')?.[0], values.get('client')?.[0]];
  if (words.length === 0 || (kind === 'service' && service !== undefined)) {
    throw new UsageError(`it is not clear which ${kind} to explain`, {
      remedy: "such as server 10.0.2.11:8080, or service 'tcp 192.0.2.10:80'",
    });
  }
  const word = words.join(' ');
  return kind === 'server'
    ? { target: word, ...given({ group: service, client }) }
    : { group: word, ...given({ client }) };
}

async function ask(client: ApiClient, parsed: ParsedOptions): Promise<Explanation | readonly SubjectExplanation[]> {
  const subject = subjectOf(parsed);
  if (subject !== undefined) return await client.call(controlExplain, subject);
  return await client.call(directorExplain, parametersOf(parsed));
}

export const explainCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      options,
      takesWords: true,
      remedies,
      ask,
      text: answer => ('packets' in answer ? text(answer) : answer.map(subjectText).join('\n')),
    }),
};
