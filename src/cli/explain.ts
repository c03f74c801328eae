// SPDX-License-Identifier: Apache-2.0
// `sluice explain`: prints what the running director would do with a packet, and why. Nothing is sent.
import { openCapture } from '../capture/capture-reader.ts';
import { linkTypes } from '../capture/link-type.ts';
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import { directorExplain } from '../director/api.ts';
import type { Command, ParsedOptions } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { decisionLines } from './replay/text.ts';

const usage = `Usage: sluice explain packet 'WORDS' [OPTION…]
       sluice explain frame HEX [OPTION…]
       sluice explain --in FILE [--number N] [OPTION…]

Prints what the running director would do with a packet that arrives now: whether the host's stack would get it, which
worker would, and each step of the decision. A copy of the director decides: nothing is sent, opened or counted.

  WORDS           such as  tcp 10.0.1.2:1024 10.0.1.100:80 S
                           udp [2001:db8::2]:5353 [2001:db8::100]:53 len 40 ttl 3
                           icmp 10.0.2.11 10.0.1.2 unreachable port about (udp 10.0.1.2:9 10.0.2.11:53)
                  docs/running.md lists all words. Fragments of a datagram are explained one after another
  HEX             a whole Ethernet frame
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
    remedy: "give packet 'WORDS', frame HEX or --in FILE; sluice explain --help has examples",
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

export const explainCommand: Command = {
  usage,
  run: args =>
    askAndPrint<Explanation>(args, {
      options,
      takesWords: true,
      remedies,
      ask: (client, parsed) => client.call(directorExplain, parametersOf(parsed)),
      text,
    }),
};
