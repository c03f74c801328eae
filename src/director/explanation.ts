// SPDX-License-Identifier: Apache-2.0
// `sluice explain` as the running process answers it. A packet in words, or the bytes of a frame, becomes a frame that a
// port would have received; the director says what would become of that frame.
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import { ConfigError, UsageError } from '../core/errors.ts';
import { macBytes } from '../wire/addresses.ts';
import { describeFrame } from '../wire/describe.ts';
import { ethernetFrame, etherType, formatAddress, formatMac } from '../wire/ip-packet.ts';
import { type Described, takePacket } from '../wire/packet-language.ts';
import { Words } from '../wire/words.ts';
import type { directorExplain } from './api.ts';
import type { LiveDirector } from './live-director.ts';
import { portNumber } from './port-number.ts';

type Parameters = ParametersOf<typeof directorExplain>;
export type Explanation = AnswerOf<typeof directorExplain>;

/** A neighbour that nobody has. */
const anySender = '02:00:00:00:00:01';

export function explain(liveDirector: LiveDirector, parameters: Parameters): Explanation {
  const described = describedBy(parameters);
  const ports = liveDirector.ports();
  const { device } = parameters;
  const known = device === undefined ? undefined : ports[portNumber(ports, device)]?.name;
  const port = known ?? likelyPort(liveDirector, described);
  const state = ports.find(one => one.name === port);
  const frames = framesOf(described, state?.mac ?? anySender);
  const { decisions, ...common } = liveDirector.explain(frames.map(frame => ({ port, frame, mark: parameters.mark })));
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

function describedBy({ packet, frame }: Parameters): Described {
  if (frame !== undefined && packet === undefined) return takePacket(packetWords(`raw ${frame}`));
  if (packet === undefined || frame !== undefined) {
    throw new UsageError('it is not clear which packet is to be explained', {
      remedy: 'give packet in words, or frame in hexadecimal digits',
    });
  }
  try {
    return packetOf(packet);
  } catch (error) {
    // The words are no configuration: they stand in a request, or on a command line.
    throw error instanceof ConfigError ? new UsageError(error.problem, { ...error, cause: error }) : error;
  }
}

/** The words of one packet. Throws what is wrong with them. */
export function packetOf(text: string): Described {
  const line = packetWords(text);
  const described = takePacket(line);
  line.finish();
  return described;
}

function packetWords(text: string): Words {
  return new Words({ file: 'packet', line: 1 }, text);
}

/** The only port, the port that a frame is addressed to, or the port that leads to the sender. */
function likelyPort(liveDirector: LiveDirector, { source, frame, packets }: Described): string {
  const ports = liveDirector.ports();
  const addressee = frame ? formatMac((packets[0] ?? new Uint8Array(0)).subarray(0, 6)) : undefined;
  const candidates = ports.filter(({ mac }) => ports.length === 1 || mac === addressee);
  const found = candidates[0]?.name ?? (source && liveDirector.portTowards(formatAddress(source.bytes)));
  if (found !== undefined) return found;
  throw new UsageError('on which device the packet would come is not clear', {
    remedy: `say so with --device: ${ports.map(({ name }) => name).join(', ')}`,
  });
}

/** The frames as a port with that address would receive them. */
export function framesOf({ frame, packets, family, destinationMac }: Described, mac: string): readonly Uint8Array[] {
  if (frame) return packets;
  const type = family === 4 ? etherType.ipv4 : etherType.ipv6;
  return packets.map(packet => ethernetFrame(destinationMac ?? macBytes(mac), macBytes(anySender), type, packet));
}
