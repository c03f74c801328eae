// SPDX-License-Identifier: Apache-2.0
// The core of the director without devices: the same native code that forwards live traffic. Its caller hands it
// models, frames and the time; it does no I/O and reads no clock. The class Director (src/daemon/director.ts) is built
// on it.
import { UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeDecisions, NativeDirector, NativeFrameOptions, ReasonRow } from '../native/director.ts';
import { compareDirectorModels } from './changes.ts';
import { type FrameBatch, type FrameProperties, segmentationNumbers } from './frame-batch.ts';
import type { ServiceView } from './ipvsadm/listing.ts';
import { type DirectorModel, emptyDirectorModel, type FirewallMark, type ServiceIdentity } from './model.ts';
import { planChanges, planZero } from './plan.ts';
import type { RouteTable } from './route-table.ts';
import { type PacketVerdict, type TimedFrame, type TransmittedFrame, verdictOf } from './verdict.ts';
import { byEndpoints, type Connection, connectionRow, rowsOf, serviceViews } from './views.ts';

export { type PacketVerdict, reasons, type TimedFrame, type TransmittedFrame, type Verdict } from './verdict.ts';
export type { Connection } from './views.ts';

/** The decisions about some frames of a batch: from the frame `first` up to the frame before `next`. */
export interface BatchDecisions extends NativeDecisions {
  readonly first: number;
}

export interface ForwardingOptions {
  readonly routeTable: RouteTable;
  /** The configuration at the start; empty unless given. */
  readonly model?: DirectorModel;
  /** Random choices (some schedulers, local ports) follow from the seed: equal seeds, equal choices. 1 unless given. */
  readonly seed?: number;
  /** The time at which the director starts, in nanoseconds. */
  readonly start?: bigint;
  /**
   * Whether ICMP errors are limited as in the kernel: to each receiver one a second, and six at once. True unless
   * given.
   */
  readonly limitIcmp?: boolean;
}

/** A firewall mark that is given and not 0 takes the place of the mark that the rules would give. */
export interface FrameOptions extends FrameProperties {
  /** Whether the verdict has the steps of the decision. */
  readonly explain?: boolean;
}

export class ForwardingCore {
  readonly #native: NativeDirector;
  readonly #reasons: readonly ReasonRow[];
  readonly #ports: readonly string[];
  /** The rules of the route table, which come after the rules of the model. */
  readonly #marks: readonly FirewallMark[];
  #model: DirectorModel = emptyDirectorModel;

  constructor(options: ForwardingOptions) {
    const { routeTable, model, seed = 1, start = 0n, limitIcmp = true } = options;
    const addon = loadAddon();
    this.#reasons = addon.reasons;
    this.#ports = routeTable.ports.map(port => port.name);
    this.#marks = routeTable.marks;
    const { flows: flowLimit, fragments: fragmentLimit } = (model ?? emptyDirectorModel).limits;
    this.#native = new addon.Director({ flowLimit, fragmentLimit, seed, start, limitIcmp });
    const portNumber = (name: string) => this.#ports.indexOf(name);
    this.#native.setRouteTable({
      ports: routeTable.ports,
      routes: routeTable.routes.map(({ network, prefix, via, port }) => ({
        network,
        prefix,
        via: via ?? '',
        port: portNumber(port),
      })),
      neighbours: routeTable.neighbours.map(({ address, mac, port }) => ({ address, mac, port: portNumber(port) })),
    });
    this.apply(model ?? emptyDirectorModel);
  }

  /** The configuration in force. */
  get model(): DirectorModel {
    return this.#model;
  }

  /** Makes the changes that lead from the configured model to this one. Flows go on. */
  apply(model: DirectorModel): void {
    const next = { ...model, marks: [...model.marks, ...this.#marks] };
    for (const step of planChanges(compareDirectorModels(this.#model, next), this.#ports)) {
      const outcome = this.#native.apply(step);
      if (outcome !== 'done') {
        throw new UsageError(`the director refuses a step of the change (${step.op}): ${outcome}`, {
          remedy: 'report this: a model that was read without errors can be applied',
        });
      }
    }
    this.#model = next;
  }

  /** Takes a frame that came on a port. `time` is in nanoseconds and never less than before. */
  receive(port: string, frame: Uint8Array, time: bigint, options: FrameOptions = {}): PacketVerdict {
    const number = this.#ports.indexOf(port);
    if (number < 0) {
      throw new UsageError('there is no such port', { value: port, remedy: `use one of ${this.#ports.join(', ')}` });
    }
    const timers = this.#timed(this.#native.advance(time));
    const decision = this.#native.receive(number, frame, time, nativeOptions(options));
    const verdict = verdictOf(decision, this.#reasons, this.#ports);
    return timers.length === 0 ? verdict : { ...verdict, timers };
  }

  /**
   * Frames that announce the virtual addresses to the network (gratuitous ARP, unsolicited neighbour advertisements).
   * Addresses that the host owns are left out. Send the frames at the start and after an address was added.
   */
  announce(): TransmittedFrame[] {
    return this.#native.announce().map(({ port, frame }) => ({ port: this.#ports[port] ?? '', frame }));
  }

  /**
   * Takes many frames, as receive() takes one, without an object for each frame. Replays use this. The decisions come
   * in parts, and a part stays valid while the next one is made.
   */
  *receiveBatch(batch: FrameBatch, explain = false): Generator<BatchDecisions, void, undefined> {
    const { buffers, fields, times, length } = batch;
    for (let first = 0; first < length; ) {
      const part = this.#native.receiveBatch(buffers, fields, times, first, length, explain);
      yield { ...part, first };
      first = part.next;
    }
  }

  /** Ends the flows whose timeout has passed. Returns the frames that timers have sent by then. */
  advance(time: bigint): TimedFrame[] {
    return this.#timed(this.#native.advance(time));
  }

  #timed(sent: ReturnType<NativeDirector['advance']>): TimedFrame[] {
    return sent.map(({ port, frame, time }) => ({ port: this.#ports[port] ?? '', frame, time }));
  }

  /** The connection table, sorted so that equal tables are equal lists. */
  connections(time: bigint): Connection[] {
    return this.#native.connections(time).map(connectionRow).sort(byEndpoints);
  }

  /** The services with their counts, as `ipvsadm -Ln` lists them. */
  services(): ServiceView[] {
    return serviceViews(this.#model.services, rowsOf(this.#native.services()));
  }

  /** Counters of services and servers start again from zero (`ipvsadm -Z`): of one service, or of all. */
  zeroCounters(identity?: ServiceIdentity): void {
    const services = identity === undefined ? this.#model.services.map(service => service.identity) : [identity];
    for (const step of planZero(services)) this.#native.apply(step);
  }

  /** Packets so far by reason. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#native.counts().map((count, index) => [this.#reasons[index]?.name ?? '', count]));
  }
}

function nativeOptions(options: FrameOptions): NativeFrameOptions {
  const { mark = 0, partialChecksum = false, segmentation, explain = false } = options;
  return {
    mark,
    partial: partialChecksum,
    segmentation: segmentation === undefined ? 0 : segmentationNumbers[segmentation.kind],
    segmentSize: segmentation?.size ?? 0,
    explain,
  };
}
