// SPDX-License-Identifier: Apache-2.0
// `sluice explain` as the running process answers it: a packet in words, or the bytes of a frame, becomes what a port
// would have received, and the director tells what would become of it.
import { UsageError } from '../core/errors.ts';
import type { LiveDirector, PathExplanation } from '../director/live-director.ts';
import { macBytes } from '../wire/addresses.ts';
import { describeFrame } from '../wire/describe.ts';
import { ethernetFrame, etherType, formatAddress, formatMac } from '../wire/ip-packet.ts';
import { type Described, takePacket } from '../wire/packet-language.ts';
import { Words } from '../wire/words.ts';

type Decision = PathExplanation['decisions'][number];

/** One packet's fate. */
export interface PacketExplanation extends Omit<Decision, 'out'> {
  /** The frame in a line. */
  readonly packet: string;
  readonly sent: readonly { readonly port: string; readonly packet: string }[];
}

export interface Explanation extends Omit<PathExplanation, 'decisions'> {
  /** The port on which the packets would come. */
  readonly port: string;
  readonly device: string;
  /** One, or the fragments of one. */
  readonly packets: readonly PacketExplanation[];
}

/** A neighbour that nobody has. */
const anySender = '02:00:00:00:00:01';

/** By the parameters `packet` (in words) or `frame` (hexadecimal digits), and `port`, `mark`. */
export function explain(liveDirector: LiveDirector, parameters: URLSearchParams): Explanation {
  const described = describedBy(parameters);
  const port = parameters.get('port') ?? likelyPort(liveDirector, described);
  const state = liveDirector.state().ports.find(one => one.name === port);
  const mac = state?.mac ?? anySender;
  const told = liveDirector.explain(port, framesOf(described, mac), markOf(parameters.get('mark')));
  const frames = framesOf(described, mac);
  const { decisions, ...common } = told;
  return {
    ...common,
    port,
    device: state?.device ?? port,
    packets: decisions.map(({ out, ...decision }, index) => ({
      packet: describeFrame(frames[index] ?? new Uint8Array(0)),
      ...decision,
      sent: out.map(one => ({ port: one.port, packet: describeFrame(one.frame) })),
    })),
  };
}

function describedBy(parameters: URLSearchParams): Described {
  const [words, digits] = [parameters.get('packet'), parameters.get('frame')];
  if (digits !== null) return takePacket(packetWords(`raw ${digits}`));
  if (words === null)
    throw new UsageError('no packet is given', { remedy: 'give packet=… in words, or frame=… in hex' });
  const line = packetWords(words);
  const described = takePacket(line);
  line.finish();
  return described;
}

function packetWords(text: string): Words {
  return new Words({ file: 'packet', line: 1 }, text);
}

/** The only port, the one that a frame is addressed to, or that leads to the sender. */
function likelyPort(liveDirector: LiveDirector, { source, frame, packets }: Described): string {
  const { ports } = liveDirector.state();
  const addressee = frame ? formatMac((packets[0] ?? new Uint8Array(0)).subarray(0, 6)) : undefined;
  const candidates = ports.filter(({ mac }) => ports.length === 1 || mac === addressee);
  const found = candidates[0]?.name ?? (source && liveDirector.portTowards(formatAddress(source.bytes)));
  if (found !== undefined) return found;
  throw new UsageError('on which port the packet would come is not clear', {
    remedy: `say so with --port: ${ports.map(({ name }) => name).join(', ')}`,
  });
}

function framesOf({ frame, packets, family, destinationMac }: Described, mac: string): readonly Uint8Array[] {
  if (frame) return packets;
  const type = family === 4 ? etherType.ipv4 : etherType.ipv6;
  return packets.map(packet => ethernetFrame(destinationMac ?? macBytes(mac), macBytes(anySender), type, packet));
}

function markOf(text: string | null): number {
  const mark = Number(text ?? 0);
  if (Number.isInteger(mark) && mark >= 0 && mark <= 0xffff_ffff) return mark;
  throw new UsageError('not a firewall mark', { value: text, remedy: 'use a whole number below 2^32' });
}
