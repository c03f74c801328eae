// SPDX-License-Identifier: Apache-2.0
// The director as programs use it. This class reads what people write (a net, rules or a document) and checks what a
// program hands in; the forwarding core in src/director does the rest.
import { UsageError } from '../core/errors.ts';
import {
  type BatchDecisions,
  ForwardingCore,
  type ForwardingOptions,
  type FrameOptions,
  type PacketVerdict,
  type TimedFrame,
  type TransmittedFrame,
} from '../director/forwarding-core.ts';
import type { FrameBatch } from '../director/frame-batch.ts';
import type { ServiceView } from '../director/ipvsadm/listing.ts';
import { readRules } from '../director/ipvsadm/rules.ts';
import { type DirectorModel, emptyDirectorModel, type ServiceIdentity } from '../director/model.ts';
import { parseRouteTable, type RouteTableDocument, routeTableFrom } from '../director/route-table.ts';
import type { Connection } from '../director/views.ts';
import { documentFormat } from './document.ts';

/** What a director forwards: rules, a document, or nothing. */
export interface Services {
  /** ipvsadm commands, one a line, as `ipvsadm -S -n` prints them. */
  readonly rules?: string;
  /** The text of a sluice.yaml, or the same as a value. */
  readonly config?: string | object;
}

export interface DirectorConfig extends Services {
  /** Ports, neighbours and routes around the director: the text of a net.yaml, or the same as a value. */
  readonly net: string | RouteTableDocument;
  /** Random choices (some schedulers, local ports) follow from the seed: equal seeds, equal choices. 1 unless given. */
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
export class Director {
  readonly #core: ForwardingCore;
  #now = 0n;

  /**
   * Throws a ConfigError that says what is wrong and where: in a text with line and column.
   *
   * @param config - What people write; or, for Sluice's own parts, a route table and a model that have been read.
   */
  constructor(config: DirectorConfig | ForwardingOptions) {
    this.#core = new ForwardingCore('routeTable' in config ? config : optionsOf(config));
  }

  /** What the director forwards, as it was read. */
  get model(): DirectorModel {
    return this.#core.model;
  }

  /** Forwards by other services from now on. Flows go on as far as their servers are still there. */
  configure(services: Services): void {
    this.#core.apply(modelOf(services));
  }

  /** The same with a model that has been read. */
  apply(model: DirectorModel): void {
    this.#core.apply(model);
  }

  /**
   * Takes a frame that came on a port.
   *
   * @param port - Its name in the net.
   * @param frame - From the Ethernet header on. It is not changed.
   * @param time - Nanoseconds since any epoch, never less than before: the director's only clock.
   * @returns What was decided and why, and the frames to transmit, in their order, each with its port.
   */
  receive(port: string, frame: Uint8Array, time: bigint, options: FrameOptions = {}): PacketVerdict {
    if (!(frame instanceof Uint8Array)) {
      throw new UsageError('a frame is not a Uint8Array', { value: frame, remedy: 'give its bytes' });
    }
    this.#setTime(time);
    return this.#core.receive(port, frame, time, options);
  }

  /** Takes many frames, as receive() takes one, without an object for each frame. */
  receiveBatch(batch: FrameBatch, explain = false): Generator<BatchDecisions, void, undefined> {
    return this.#core.receiveBatch(batch, explain);
  }

  /** Ends the flows whose timeout has passed, as receive() does first. Returns the frames that timers have sent by then. */
  advance(time: bigint): TimedFrame[] {
    this.#setTime(time);
    return this.#core.advance(time);
  }

  /**
   * Frames that announce the virtual addresses to the network (gratuitous ARP, unsolicited neighbour advertisements).
   * Addresses that the host owns are left out. Send the frames at the start and after an address was added.
   */
  announce(): TransmittedFrame[] {
    return this.#core.announce();
  }

  /** The connection table, sorted so that equal tables are equal lists. */
  connections(time: bigint): Connection[] {
    return this.#core.connections(time);
  }

  /** The services with their counts, as `ipvsadm -Ln` lists them. */
  services(): ServiceView[] {
    return this.#core.services();
  }

  /** Counters of services and servers start again from zero (`ipvsadm -Z`): of one service, or of all. */
  zeroCounters(identity?: ServiceIdentity): void {
    this.#core.zeroCounters(identity);
  }

  /** Packets so far by reason. */
  counts(): Record<string, number> {
    return this.#core.counts();
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

function optionsOf(config: DirectorConfig): ForwardingOptions {
  const { net, seed = 1 } = config;
  const routeTable = typeof net === 'string' ? parseRouteTable(net, 'net') : routeTableFrom(net);
  return { routeTable, model: modelOf(config), seed };
}

function modelOf({ rules, config }: Services): DirectorModel {
  if (rules !== undefined && config !== undefined) {
    throw new UsageError('rules and config exclude each other', { remedy: 'give one of them' });
  }
  if (rules !== undefined) return readRules(rules, { file: 'rules' });
  if (config === undefined) return emptyDirectorModel;
  return (typeof config === 'string' ? documentFormat.parse(config, 'config') : documentFormat.from(config)).director;
}
