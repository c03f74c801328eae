// SPDX-License-Identifier: Apache-2.0
// The live director: the director that forwards between network devices, in native threads. What is configured and
// reported is as with the director that is fed by hand (director.ts), over all workers.
import { HostError, UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type {
  NativeCrashState,
  NativeFailure,
  NativeLiveDirector,
  NativeLiveDirectorState,
  NativePortState,
  Owner,
  RestoredFlows,
} from '../native/live-director.ts';
import { ServiceRows } from '../native/service-rows.ts';
import { pageWords, StatisticsPage } from '../native/statistics-page.ts';
import { compareDirectorModels, type DirectorChange } from './changes.ts';
import type { ServiceView } from './ipvsadm/listing.ts';
import { refuseLocalNat } from './local-node.ts';
import { type DirectorModel, emptyDirectorModel, type Port } from './model.ts';
import { planChanges } from './plan.ts';
import { nativeFilter, type TapFilter, type TappedFrame, tappedFrame } from './tap.ts';
import { type PacketVerdict, verdictOf } from './verdict.ts';
import { byEndpoints, type Connection, connectionRow, serviceViews } from './views.ts';

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
  /** Where flows are kept for the next process, and those of the process before come from. */
  readonly crashState?: NativeCrashState | undefined;
}

/** As `host::StealWay`. */
export const stealWays = ['tcx', 'clsact', 'nftables'] as const;
export type StealWay = (typeof stealWays)[number];

/** An Ethernet header, and the longest IP packet with that and a VLAN tag. */
const [shortestFrame, longestFrame] = [14, 65_535 + 14 + 4] as const;

export interface WorkerCounts {
  readonly name: string;
  readonly awakeNanoseconds: number;
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

  /** Opens the devices and forwards. Throws a HostError that says what the host refused and what to do about it. */
  constructor(options: LiveDirectorOptions) {
    const { model, devices, cpus = [-1], stealing, crashState } = options;
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
      ...(crashState && { crashState }),
    });
    this.statistics = new StatisticsPage(statistics, addon.statisticsLayout);
    throwFailure(this.#native.open());
    try {
      this.#change(model);
      this.restored = this.#native.restore();
      this.#native.start();
      throwFailure(this.#native.steal());
    } catch (error) {
      this.#native.close();
      throw error;
    }
    this.#native.announce();
  }

  /** By the numbers of the ports. */
  get devices(): string[] {
    return this.#ports.map(port => port.device);
  }

  /** What is forwarded. */
  get model(): DirectorModel {
    return this.#model;
  }

  /** Forwards by `model` from now on; flows go on as far as their servers are still there. Gives what has changed. */
  apply(model: DirectorModel): readonly DirectorChange[] {
    if (model.ports.length > 0 && !samePorts(model.ports, this.#ports)) {
      throw new UsageError('the ports cannot be changed while the director runs', {
        value: model.ports.map(port => port.device).join(', '),
        remedy: 'restart sluice to forward between other devices',
      });
    }
    const changes = this.#change(model);
    throwFailure(this.#native.steal());
    if (changes.length > 0) this.#native.announce();
    return changes;
  }

  #change(model: DirectorModel): readonly DirectorChange[] {
    const { mostMarkRules } = loadAddon();
    if (model.marks.length > mostMarkRules) {
      throw new UsageError('there are more rules of marks than live traffic can be held against', {
        value: model.marks.length,
        remedy: `use at most ${mostMarkRules}: a rule may ask for networks and ranges of ports`,
      });
    }
    refuseLocalNat(model);
    const changes = compareDirectorModels(this.#model, model);
    const names = this.#ports.map(port => port.name);
    const outcome = this.#native.apply(planChanges(changes, names));
    if (outcome !== 'done') {
      throw new UsageError(`the director refuses a step of the change: ${outcome}`, {
        remedy: 'report this: a model that was read without errors can be applied',
      });
    }
    this.#model = model;
    return changes;
  }

  /**
   * The services with the counts of all workers, as `ipvsadm -Ln` lists them: read from memory into which workers publish
   * them ten times a second.
   */
  services(): ServiceView[] {
    return serviceViews(this.#model.services, this.#rows.read());
  }

  /** The connection tables of all workers, sorted. */
  connections(): Connection[] {
    return this.#numbers()
      .flatMap(worker => this.#native.connections(worker).map(connectionRow))
      .sort(byEndpoints);
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
      received: Number(page.read(index, 'frames_received')),
      receivedBytes: Number(page.read(index, 'bytes_received')),
      transmitted: Number(page.read(index, 'frames_transmitted')),
      transmittedBytes: Number(page.read(index, 'bytes_transmitted')),
    }));
  }

  /** Ports, and how the host's stack is kept away. */
  state(): LiveDirectorState {
    const state = this.#native.state();
    const { unseen } = this.#rows;
    return {
      ...state,
      notices:
        unseen > 0
          ? [...state.notices, `no counts are shown of ${unseen} services and servers, for want of room`]
          : state.notices,
      ports: state.ports.map((port, index) => ({ ...port, device: port.name, name: this.#ports[index]?.name ?? '' })),
    };
  }

  /** The name of the port that leads to an address. */
  portTowards(address: string): string | undefined {
    const number = this.#native.portTowards(address);
    return number === undefined ? undefined : this.#ports[number]?.name;
  }

  /**
   * What would become of frames that came on a port, one after another. A copy of the director decides: nothing is sent,
   * no flow is opened, nothing is counted.
   */
  explain(port: string, frames: readonly Uint8Array[], mark = 0): PathExplanation {
    const names = this.#ports.map(one => one.name);
    const number = names.indexOf(port);
    if (number < 0) {
      throw new UsageError('there is no such port', { value: port, remedy: `use one of ${names.join(', ')}` });
    }
    if (frames.length === 0 || frames.some(({ length }) => length < shortestFrame || length > longestFrame)) {
      const remedy = `give frames of ${shortestFrame} to ${longestFrame} bytes, with their Ethernet header`;
      throw new UsageError('no frame that a port could have received', { remedy });
    }
    const told = this.#native.explain(frames.map(bytes => ({ port: number, mark, bytes })));
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

function samePorts(a: readonly Port[], b: readonly Port[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ device, type, vlan }, index) => {
      const other = b[index];
      return device === other?.device && type === other.type && vlan === other.vlan;
    })
  );
}

function throwFailure(failure: NativeFailure | undefined): void {
  if (failure === undefined) return;
  throw new HostError(failure.problem);
}
