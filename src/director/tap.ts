// SPDX-License-Identifier: Apache-2.0
// A tap shows the frames that pass through a live director. A filter says which frames are wanted.
import { parseAddress } from '../core/address.ts';
import { UsageError } from '../core/errors.ts';
import type { NativeTapFilter, NativeTappedFrame } from '../native/live-director.ts';
import type { Port, ServiceIdentity } from './model.ts';
import { planIdentity } from './plan.ts';
import { portNumber } from './port-number.ts';
import { reasons, type Verdict } from './verdict.ts';

/** Which frames are wanted. A frame must fit all conditions that are given. */
export interface TapFilter {
  /** An address of the frame that came, or of a frame that was sent because of it. */
  readonly host?: string;
  /** A port of TCP, UDP or SCTP in one of these frames. */
  readonly port?: number;
  readonly protocol?: string;
  readonly verdict?: string;
  readonly reason?: string;
  /** On which it came: a port's name, or its network device. */
  readonly device?: string;
  readonly service?: ServiceIdentity;
}

/** A frame that came, with the decision about it, or a frame that was sent because of it. */
export interface TappedFrame extends Omit<NativeTappedFrame, 'port' | 'reason'> {
  /** The number of the port. */
  readonly device: number;
  readonly verdict: Verdict;
  readonly reason: string;
}

const protocols: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 };

/** The filter in the numbers of the native module. Throws a UsageError for a name that does not exist. */
export function nativeFilter(filter: TapFilter, ports: readonly Port[]): NativeTapFilter {
  const { host, port, protocol, verdict, reason, device, service } = filter;
  const rows = reasons();
  return {
    ...(host === undefined ? {} : { host: addressText(host) }),
    ...(port === undefined ? {} : { port }),
    ...(protocol === undefined
      ? {}
      : { protocol: protocols[oneOf(Object.keys(protocols), protocol, 'protocol')] ?? 0 }),
    ...(verdict === undefined
      ? {}
      : { verdict: oneOf([...new Set(rows.map(row => row.verdict))], verdict, 'verdict') }),
    ...(reason === undefined
      ? {}
      : {
          reason: rows.findIndex(
            ({ name }) =>
              name ===
              oneOf(
                rows.map(row => row.name),
                reason,
                'reason',
              ),
          ),
        }),
    ...(device === undefined ? {} : { cameOn: portNumber(ports, device) }),
    ...(service === undefined ? {} : { service: planIdentity(service) }),
  };
}

function addressText(text: string): string {
  const address = parseAddress(text);
  if (address !== undefined) return address.text;
  throw new UsageError('not an address', { value: text, remedy: 'use an IPv4 or IPv6 address' });
}

function oneOf(names: readonly string[], name: string, what: string): string {
  if (names.includes(name)) return name;
  throw new UsageError(`there is no such ${what}`, { value: name, remedy: `use one of ${names.join(', ')}` });
}

export function tappedFrame({ port, reason, ...frame }: NativeTappedFrame): TappedFrame {
  const row = reasons()[reason];
  if (row === undefined) throw new RangeError(`the native module has no reason ${reason}`);
  return { ...frame, device: port, verdict: row.verdict, reason: row.name };
}
