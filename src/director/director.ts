// SPDX-License-Identifier: Apache-2.0
// The layer-4 director for programs, replays and tests: the same native core that forwards live traffic, fed with frames
// by hand. It has no clock of its own: every call says what time it is.
import { UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeDecisions, NativeDirector, NativeFrameOptions, ReasonRow } from '../native/director.ts';
import { compareDirectorModels } from './changes.ts';
import { type FrameBatch, type FrameProperties, segmentationNumbers } from './frame-batch.ts';
import type { ServiceView } from './ipvsadm/listing.ts';
import { type DirectorModel, emptyDirectorModel, type FirewallMark, type ServiceIdentity } from './model.ts';
import { planChanges, planIdentity } from './plan.ts';
import type { RouteTable } from './route-table.ts';
import { type PacketVerdict, type TimedFrame, type TransmittedFrame, verdictOf } from './verdict.ts';
import { byEndpoints, type Connection, connectionRow, rowsOf, serviceViews } from './views.ts';

export { type PacketVerdict, reasons, type TimedFrame, type TransmittedFrame, type Verdict } from './verdict.ts';
export type { Connection } from './views.ts';

/** What was decided about the frames of a batch from `first` to before `next`. */
export interface BatchDecisions extends NativeDecisions {
  readonly first: number;
}

export interface DirectorOptions {
  readonly routeTable: RouteTable;
  /** The services and everything else of layer 4; nothing at first unless given. */
  readonly model?: DirectorModel;
  /** Random choices (some schedulers, local ports) follow from it: equal seeds, equal choices. */
  readonly seed?: number;
  /** The time at which the director starts, nanoseconds. */
  readonly start?: bigint;
  /** Whether ICMP errors to one receiver are limited as the kernel limits them (one a second, six at once). */
  readonly limitIcmp?: boolean;
}

/** The firewall mark is that of the rules unless one that is not 0 is given. */
export interface FrameOptions extends FrameProperties {
  readonly explain?: boolean;
}

export class Director {
  readonly #native: NativeDirector;
  readonly #reasons: readonly ReasonRow[];
  readonly #ports: readonly string[];
  /** Of the route table: they come after the model's own. */
  readonly #marks: readonly FirewallMark[];
  #model: DirectorModel = emptyDirectorModel;

  constructor(options: DirectorOptions) {
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

  /** What the director is configured with. */
  get model(): DirectorModel {
    return this.#model;
  }

  /** Changes the configuration to `model` by what differs; flows go on. */
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

  /**
   * Takes a frame that came on a port at a time (nanoseconds, never earlier than before). Flows whose time is over by
   * then have ended.
   */
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
   * Frames that tell the network whose the virtual addresses are (gratuitous ARP, unsolicited neighbour advertisements):
   * those that the host does not own itself. To be sent when the director starts and after an address was added.
   */
  announce(): TransmittedFrame[] {
    return this.#native.announce().map(({ port, frame }) => ({ port: this.#ports[port] ?? '', frame }));
  }

  /**
   * Takes many frames, as receive() takes one, without an object for each: for replays. What was decided comes in parts,
   * each good for as long as somebody holds it.
   */
  *receiveBatch(batch: FrameBatch, explain = false): Generator<BatchDecisions, void, undefined> {
    const { buffers, fields, times, length } = batch;
    for (let first = 0; first < length; ) {
      const part = this.#native.receiveBatch(buffers, fields, times, first, length, explain);
      yield { ...part, first };
      first = part.next;
    }
  }

  /** Ends the flows whose time is over. Returns what timers have sent by then. */
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
    for (const one of services) this.#native.apply({ op: 'zeroCounters', service: planIdentity(one) });
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
