// SPDX-License-Identifier: Apache-2.0
// The director as other programs use it: configured with what people write (a net, rules or a document) instead of the
// models that Sluice's own parts hand to each other.
import { UsageError } from '../core/errors.ts';
import {
  Director as DirectorBase,
  type FrameOptions,
  type PacketVerdict,
  type TimedFrame,
} from '../director/director.ts';
import { readRules } from '../director/ipvsadm/rules.ts';
import { type DirectorModel, emptyDirectorModel } from '../director/model.ts';
import { parseRouteTable, type RouteTableDocument, routeTableFrom } from '../director/route-table.ts';
import { documentFormat } from './document.ts';

/** What a director forwards: one of the two, or nothing. */
export interface Services {
  /** ipvsadm commands, one a line, as `ipvsadm -S -n` prints them. */
  readonly rules?: string;
  /** The text of a sluice.yaml, or the same as a value. */
  readonly config?: string | object;
}

export interface DirectorConfig extends Services {
  /** Ports, neighbours and routes around the director: the text of a net.yaml, or the same as a value. */
  readonly net: string | RouteTableDocument;
  /** Random choices (some schedulers, local ports) follow from it: equal seeds, equal choices. 1 unless given. */
  readonly seed?: number;
}

/**
 * The layer-4 director: frames in, verdicts and frames out. It does no I/O and has no clock.
 *
 * @example
 * ```js
 * const director = new Director({
 *   net: { ports: { c0: { mac: '02:00:00:00:01:01', addresses: ['10.0.1.1/24'] } } },
 *   rules: '-A -t 10.0.1.100:80 -s rr',
 * });
 * const verdict = director.receive('c0', frame, 1_700_000_000_000_000_000n);
 * ```
 */
export class Director extends DirectorBase {
  #now = 0n;

  /** Throws a ConfigError that says what is wrong and where: in a text with line and column. */
  constructor(config: DirectorConfig) {
    const { net, seed = 1 } = config;
    const routeTable = typeof net === 'string' ? parseRouteTable(net, 'net') : routeTableFrom(net);
    super({ routeTable, model: modelOf(config), seed });
  }

  /** Forwards by other services from now on. Flows go on as far as their servers are still there. */
  configure(services: Services): void {
    this.apply(modelOf(services));
  }

  /**
   * Takes a frame that came on a port.
   *
   * @param port - Its name in the net.
   * @param frame - From the Ethernet header on. It is not changed.
   * @param time - Nanoseconds since any epoch, never less than before: the director's only clock.
   * @returns What was decided and why, and the frames to transmit, in their order, each with its port.
   */
  override receive(port: string, frame: Uint8Array, time: bigint, options: FrameOptions = {}): PacketVerdict {
    if (!(frame instanceof Uint8Array)) {
      throw new UsageError('a frame is not a Uint8Array', { value: frame, remedy: 'give its bytes' });
    }
    this.#setTime(time);
    return super.receive(port, frame, time, options);
  }

  /** Ends the flows whose time is over, as receive() does first. Returns what timers have sent by then. */
  override advance(time: bigint): TimedFrame[] {
    this.#setTime(time);
    return super.advance(time);
  }

  #setTime(time: bigint): void {
    if (typeof time !== 'bigint' || time < 0n) {
      const remedy = 'give nanoseconds as a bigint, such as 1_700_000_000_000_000_000n';
      throw new UsageError('a time is not a number of nanoseconds', { value: time, remedy });
    }
    if (time < this.#now) {
      throw new UsageError('time runs backwards', { value: time, remedy: `give ${this.#now} or later` });
    }
    this.#now = time;
  }
}

function modelOf({ rules, config }: Services): DirectorModel {
  if (rules !== undefined && config !== undefined) {
    throw new UsageError('rules and config exclude each other', { remedy: 'give one of them' });
  }
  if (rules !== undefined) return readRules(rules, { file: 'rules' });
  if (config === undefined) return emptyDirectorModel;
  return (typeof config === 'string' ? documentFormat.parse(config, 'config') : documentFormat.from(config)).director;
}
