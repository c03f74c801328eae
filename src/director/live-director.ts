// SPDX-License-Identifier: Apache-2.0
// The live director: the director that forwards between network devices, in native threads. What is configured and
// reported is as with the director that is fed by hand (director.ts), over all workers.
import { HostError, UnavailableError, UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { loadAddon } from '../native/addon.ts';
import type {
  NativeConnectionFilter,
  NativeConnectionPart,
  NativeCrashState,
  NativeFailure,
  NativeLiveDirector,
  NativeLiveDirectorState,
  NativeNextHop,
  NativePortState,
  NativeRefusal,
  Owner,
  RestoredFlows,
} from '../native/live-director.ts';
import { ServiceRows } from '../native/service-rows.ts';
import { pageWords, StatisticsPage } from '../native/statistics-page.ts';
import { compareDirectorModels, type DirectorChange } from './changes.ts';
import { refuseLoopbackNat } from './local-node.ts';
import {
  type DirectorModel,
  emptyDirectorModel,
  type Port,
  type ServiceIdentity,
  type StealWay,
  serviceKey,
  servicesWithoutPackets,
} from './model.ts';
import { type Occupancy, sumOccupancy } from './occupancy.ts';
import { type PlanStep, planChanges, planZero } from './plan.ts';
import { type PoolChanged, PoolNotices } from './pool-notices.ts';
import { nativeFilter, type TapFilter, type TappedFrame, tappedFrame } from './tap.ts';
import { type PacketVerdict, verdictOf } from './verdict.ts';
import { byEndpoints, type Connection, type CountedService, connectionRow, rowName, serviceViews } from './views.ts';

export { type StealWay, stealWays } from './model.ts';
export type { TapFilter, TappedFrame } from './tap.ts';
export { reasons } from './verdict.ts';
export type { Connection } from './views.ts';

export interface LiveDirectorOptions {
  readonly model: DirectorModel;
  /** What the packets come from and go to, where the model does not name its ports. */
  readonly devices: readonly string[];
  /** CPUs to pin a worker to each, -1 for none. One worker that is pinned to none unless given. */
  readonly cpus?: readonly number[];
  /** How the host's stack is kept away; the first way that the kernel has unless given. */
  readonly stealing?: StealWay | undefined;
  /** /dev/net/tun as the supervisor has opened it; unless given the director opens it. */
  readonly tunDevice?: number | undefined;
  /** Where flows are kept for the next process, and those of the process before come from. */
  readonly crashState?: NativeCrashState | undefined;
  readonly poolChanged: PoolChanged;
}

/** An Ethernet header, and the longest IP packet with that and a VLAN tag. */
const [shortestFrame, longestFrame] = [14, 65_535 + 14 + 4] as const;

/** A worker stands still for as long as it takes to copy so many. */
const connectionsInPart = 1024;

export interface WorkerCounts {
  readonly name: string;
  readonly awakeNanoseconds: number;
  /** For which it stood still for a change or a question. */
  readonly longestVisitNanoseconds: number;
  readonly received: number;
  readonly receivedBytes: number;
  readonly transmitted: number;
  readonly transmittedBytes: number;
}

export interface Tap {
  /** At most so many frames of each worker, and how many packets were missed since the tap was opened. */
  take(most: number): { readonly frames: readonly TappedFrame[]; readonly missed: number };
  close(): void;
}

export interface LiveDirectorState extends NativeLiveDirectorState {
  readonly ports: readonly (NativePortState & { readonly device: string })[];
}

/** A change that was accepted. */
export interface PreparedChange {
  readonly changes: readonly DirectorChange[];
  /** Forwards by the new model from now on. Cannot fail. */
  commit(): void;
  /** Forwards on by the model in force. */
  abort(): void;
}

/** A frame that comes on a port, with its firewall mark. */
export interface Arrival {
  readonly port: string;
  readonly frame: Uint8Array;
  readonly mark?: number | undefined;
}

export interface NextHop extends Omit<NativeNextHop, 'port'> {
  /** The name of the port that leads there. */
  readonly port?: string;
}

export interface PathExplanation {
  /** Which would have the packets, from 0, and how many there are. */
  readonly worker: number;
  readonly workers: number;
  /** For how long that worker waited for its copy. */
  readonly stoodStillMicroseconds: number;
  /** A frame each. */
  readonly decisions: readonly (PacketVerdict & { readonly owner: Owner })[];
}

export class LiveDirector {
  readonly #native: NativeLiveDirector;
  readonly #ports: readonly Port[];
  readonly #workers: number;
  readonly #rows: ServiceRows;
  /** What the workers count, a block each. */
  readonly statistics: StatisticsPage;
  /** Of the process before. */
  readonly restored: RestoredFlows;
  #model: DirectorModel = emptyDirectorModel;
  #isForwarding = false;
  #isChanging = false;
  readonly #poolNotices: PoolNotices;

  /** Opens the devices and forwards. Throws a HostError that says what the host refused and what to do about it. */
  constructor(options: LiveDirectorOptions) {
    const { model, devices, cpus = [-1], stealing, tunDevice, crashState, poolChanged } = options;
    this.#poolNotices = new PoolNotices(poolChanged);
    this.#ports = model.ports.length > 0 ? model.ports : devices.map(name => ({ name, device: name, type: 'packet' }));
    this.#workers = cpus.length;
    const { flows: flowLimit, fragments: fragmentLimit } = model.limits;
    const interfaces = this.#ports.map(port => port.device);
    const vlans = this.#ports.map(port => port.vlan ?? 0);
    const xdp = this.#ports.map(port => port.type === 'xdp');
    const addon = loadAddon();
    const statistics = pageWords(addon);
    const serviceRows = ServiceRows.wordsFor(addon, cpus.length);
    this.#rows = new ServiceRows(serviceRows, addon.serviceRowsLayout);
    this.#native = new addon.LiveDirector({
      ...{ interfaces, vlans, xdp, cpus, flowLimit, fragmentLimit, statistics, serviceRows },
      ...(stealing && { stealing }),
      ...(tunDevice !== undefined && { tunDevice }),
      ...(crashState && { crashState }),
    });
    this.statistics = new StatisticsPage(statistics, addon.statisticsLayout);
    try {
      throwFailure(this.#native.open());
      this.prepare(model).commit();
      this.restored = this.#native.restore();
      this.#native.start();
      throwFailure(this.#native.steal());
      this.#isForwarding = true;
    } catch (error) {
      this.#native.discard();
      throw error;
    }
    this.#native.announce();
  }

  /** By the numbers of the ports. */
  get devices(): string[] {
    return this.#ports.map(port => port.device);
  }

  get workerCount(): number {
    return this.#workers;
  }

  /** What is forwarded. */
  get model(): DirectorModel {
    return this.#model;
  }

  /**
   * Makes ready that `model` is forwarded by. Throws a UsageError or HostError that says what is refused; then, and until
   * commit(), what is forwarded stays as it is. Commit or abort a change before the next one is prepared. Flows go on as
   * far as their servers are still there.
   */
  prepare(model: DirectorModel): PreparedChange {
    this.#checkPorts(model);
    this.#checkThreads(model);
    this.#checkMarks(model);
    refuseLoopbackNat(model);
    const changes = compareDirectorModels(this.#model, model);
    const names = this.#ports.map(port => port.name);
    const steps = planChanges(changes, names);
    const outcome = this.#native.prepare(steps);
    if (outcome !== 'done') throw refusal(outcome, steps);
    let isOpen = true;
    this.#isChanging = true;
    const close = (finish: () => void): void => {
      if (!isOpen) throw new UsageError('this change is over', { remedy: 'prepare it anew' });
      isOpen = false;
      this.#isChanging = false;
      finish();
    };
    return {
      changes,
      commit: () =>
        close(() => {
          this.#native.commit();
          this.#model = model;
          if (this.#isForwarding && changes.length > 0) this.#native.announce();
        }),
      abort: () => close(() => this.#native.abort()),
    };
  }

  /** Forwards by `model` from now on: prepare() and commit(). Gives what has changed. */
  apply(model: DirectorModel): readonly DirectorChange[] {
    const prepared = this.prepare(model);
    prepared.commit();
    return prepared.changes;
  }

  /** Counts of one service, or of all, begin again from zero. Throws an UnavailableError while a change is prepared. */
  zeroCounters(identity?: ServiceIdentity): void {
    if (this.#isChanging) {
      throw new UnavailableError('the director is about to change', { remedy: 'try again in a moment' });
    }
    const services = identity === undefined ? this.#model.services.map(one => one.identity) : [identity];
    const steps = planZero(services);
    const outcome = this.#native.prepare(steps);
    if (outcome !== 'done') throw refusal(outcome, steps);
    this.#native.commit();
  }

  #checkPorts(model: DirectorModel): void {
    if (model.ports.length === 0 || samePorts(model.ports, this.#ports)) return;
    throw new UsageError('the ports cannot be changed while the director runs', {
      value: model.ports.map(port => port.device).join(', '),
      remedy: 'restart sluice to forward between other devices',
    });
  }

  #checkThreads({ workers, stealing }: DirectorModel): void {
    const [setting, value] =
      workers !== this.#model.workers
        ? ['workers', workers]
        : stealing !== this.#model.stealing
          ? ['stealing', stealing]
          : [];
    if (setting === undefined || !this.#isForwarding) return;
    throw new UsageError(`director.${setting} cannot be changed while the director runs`, {
      value: value ?? 'the first way that the kernel has',
      remedy: 'restart sluice, or set it back',
    });
  }

  #checkMarks(model: DirectorModel): void {
    const { mostMarkRules } = loadAddon();
    if (model.marks.length <= mostMarkRules) return;
    throw new UsageError('there are more rules of marks than live traffic can be held against', {
      value: model.marks.length,
      remedy: `use at most ${mostMarkRules}: a rule may ask for networks and ranges of ports`,
    });
  }

  /**
   * All services, or one, with the counts of all workers, as `ipvsadm -Ln` lists them: read from memory into which workers publish
   * them ten times a second.
   */
  services(only?: ServiceIdentity): CountedService[] {
    const { services } = this.#model;
    if (only === undefined) return serviceViews(services, this.#rows.read());
    const key = serviceKey(only);
    const wanted = services.filter(({ identity }) => serviceKey(identity) === key);
    return serviceViews(wanted, this.#rows.read(rowName(only)));
  }

  /** The connection tables of all workers, sorted. This thread does nothing else meanwhile, the workers do. */
  connections(): Connection[] {
    return [...this.#connectionParts()].flatMap(rowsOfPart).sort(byEndpoints);
  }

  /**
   * The same in parts, in the order of the tables, while this thread and the workers do other things. A flow that lives
   * from the first part to the last is in exactly one of them; one that begins or ends meanwhile may be missed.
   */
  async *connectionParts(filter?: NativeConnectionFilter): AsyncGenerator<Connection[], void, undefined> {
    for (const part of this.#connectionParts(filter)) {
      if (part.count > 0) yield rowsOfPart(part);
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  /** How many connections fit the filter, counted in parts as above. */
  async countConnections(filter?: NativeConnectionFilter): Promise<number> {
    let sum = 0;
    for (const { count } of this.#connectionParts(filter, true)) {
      sum += count;
      await new Promise(resolve => setImmediate(resolve));
    }
    return sum;
  }

  /** Ends the connections that fit the filter, and counts them. */
  async endConnections(filter: NativeConnectionFilter): Promise<number> {
    let sum = 0;
    for (const worker of this.#numbers()) {
      for (let cursor: number | undefined = 0; cursor !== undefined; ) {
        const { count, next } = this.#native.endConnections(worker, cursor, filter);
        sum += count;
        cursor = next;
        await new Promise(resolve => setImmediate(resolve));
      }
    }
    return sum;
  }

  *#connectionParts(
    filter?: NativeConnectionFilter,
    countOnly = false,
  ): Generator<NativeConnectionPart, void, undefined> {
    for (const worker of this.#numbers()) {
      for (let cursor: number | undefined = 0; cursor !== undefined; ) {
        const part: NativeConnectionPart = this.#native.connections(
          worker,
          cursor,
          connectionsInPart,
          filter,
          countOnly,
        );
        yield part;
        cursor = part.next;
      }
    }
  }

  /** Packets so far by reason, as services() at most a tenth of a second old. */
  counts(): Record<string, number> {
    const count = (name: string): number => Number(this.statistics.total(`packets_${name.replaceAll('-', '_')}`));
    return Object.fromEntries(loadAddon().reasons.map(({ name }) => [name, count(name)]));
  }

  /** What each worker has done so far. */
  workers(): WorkerCounts[] {
    const page = this.statistics;
    return page.blocks().map(({ index, name }) => ({
      name,
      awakeNanoseconds: Number(page.read(index, 'awake_nanoseconds')),
      longestVisitNanoseconds: Number(page.read(index, 'longest_visit_nanoseconds')),
      received: Number(page.read(index, 'frames_received')),
      receivedBytes: Number(page.read(index, 'bytes_received')),
      transmitted: Number(page.read(index, 'frames_transmitted')),
      transmittedBytes: Number(page.read(index, 'bytes_transmitted')),
    }));
  }

  /** What flows have taken of tables and pools. Each worker stands still for some microseconds. */
  occupancy(): Occupancy {
    return sumOccupancy(this.#numbers().map(worker => this.#native.occupancy(worker)));
  }

  ports(): LiveDirectorState['ports'] {
    return this.#named(this.#native.state().ports);
  }

  #named(ports: ReturnType<NativeLiveDirector['state']>['ports']): LiveDirectorState['ports'] {
    return ports.map((port, index) => ({ ...port, device: port.name, name: this.#ports[index]?.name ?? '' }));
  }

  /** Ports, how the host's stack is kept away, and what a person should know, for which each worker is asked. */
  state(): LiveDirectorState {
    const state = this.#native.state();
    const { unseen } = this.#rows;
    const ports = this.#named(state.ports);
    const down = ports
      .filter(({ up }) => !up)
      .map(({ device }) => `the device ${device} is down, or is not there: look at ip link show ${device}`);
    const uncounted = unseen > 0 ? [`no counts are shown of ${unseen} services and servers, for want of room`] : [];
    const unserved = servicesWithoutPackets(this.#model);
    const empty = this.#poolNotices.of(this.occupancy());
    return { ...state, notices: [...state.notices, ...down, ...uncounted, ...unserved, ...empty], ports };
  }

  /** How packets reach an address now. */
  nextHop(address: string): NextHop {
    const { port, ...hop } = this.#native.nextHop(address);
    return { ...hop, ...given({ port: port === undefined ? undefined : this.#ports[port]?.name }) };
  }

  /** The name of the port that leads to an address. */
  portTowards(address: string): string | undefined {
    return this.nextHop(address).port;
  }

  /**
   * What would become of frames that came on ports, one after another. A copy of the director decides: nothing is sent,
   * no flow is opened, nothing is counted.
   */
  explain(arrivals: readonly Arrival[]): PathExplanation {
    const names = this.#ports.map(one => one.name);
    const unknown = arrivals.find(({ port }) => !names.includes(port));
    if (unknown !== undefined) {
      throw new UsageError('there is no such port', { value: unknown.port, remedy: `use one of ${names.join(', ')}` });
    }
    if (
      arrivals.length === 0 ||
      arrivals.some(({ frame: { length } }) => length < shortestFrame || length > longestFrame)
    ) {
      const remedy = `give frames of ${shortestFrame} to ${longestFrame} bytes, with their Ethernet header`;
      throw new UsageError('no frame that a port could have received', { remedy });
    }
    const told = this.#native.explain(
      arrivals.map(({ port, frame, mark = 0 }) => ({ port: names.indexOf(port), mark, bytes: frame })),
    );
    if ('problem' in told) throw new HostError(told.problem);
    const { reasons } = loadAddon();
    const decisions = told.decisions.map(one => ({ owner: one.owner, ...verdictOf(one, reasons, names) }));
    return { worker: told.worker, workers: this.#workers, stoodStillMicroseconds: told.stoodStill / 1000, decisions };
  }

  /** Lets a look at the frames that pass from now on, one looker at a time. */
  openTap(filter: TapFilter): Tap {
    if (!this.#native.openTaps(nativeFilter(filter, this.#ports))) {
      throw new HostError('another capture runs', { remedy: 'wait for its end, or end it' });
    }
    return {
      take: most => {
        const { frames, missed } = this.#native.takeTapped(most);
        // Each worker's are in order already.
        return {
          frames: frames.map(tappedFrame).sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)),
          missed,
        };
      },
      close: () => this.#native.closeTaps(),
    };
  }

  /**
   * A process after this one carries on what is here, no longer what the process before has left. Gives why it cannot, if
   * it cannot.
   */
  takeOver(): string | undefined {
    return this.#native.takeOver()?.problem;
  }

  /** Before takeOver(): ends forwarding, and what the process before has left stays for another attempt. */
  discard(): void {
    this.#native.discard();
  }

  /** Ends forwarding and leaves the host as it was. */
  close(): void {
    this.#native.close();
  }

  #numbers(): number[] {
    return Array.from({ length: this.#workers }, (_, index) => index);
  }
}

/** Removes what killed processes have left on the host's devices. */
export function cleanHost(): void {
  throwFailure(loadAddon().cleanHost());
}

function rowsOfPart({ rows = [] }: NativeConnectionPart): Connection[] {
  return rows.map(connectionRow);
}

function samePorts(a: readonly Port[], b: readonly Port[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ device, type, vlan }, index) => {
      const other = b[index];
      return device === other?.device && type === other.type && vlan === other.vlan;
    })
  );
}

function refusal({ problem, remedy, step }: NativeRefusal, steps: readonly PlanStep[]): HostError | UsageError {
  if (step === undefined) return new HostError(problem, remedy === '' ? {} : { remedy });
  if (remedy !== '') return new UsageError(problem, { remedy });
  return new UsageError(`the director refuses a step of the change: ${step} ${steps[step]?.op ?? ''} ${problem}`, {
    remedy: 'report this: a model that was read without errors can be applied',
  });
}

function throwFailure(failure: NativeFailure | undefined): void {
  if (failure === undefined) return;
  throw new HostError(failure.problem);
}
