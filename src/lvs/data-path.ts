// SPDX-License-Identifier: Apache-2.0
// The live data path: the director that forwards between network devices, in native threads. What is configured and
// reported is as with the director that is fed by hand (director.ts), over all workers.
import { HostError, UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeDataPath, NativeDataPathState, NativeFailure } from '../native/data-path.ts';
import type { NativeService } from '../native/director.ts';
import { pageWords, StatisticsPage } from '../native/statistics-page.ts';
import { compareLayer4, type Layer4Change } from './changes.ts';
import type { ServiceView } from './ipvsadm/listing.ts';
import { emptyLayer4, type Layer4, type Port } from './model.ts';
import { planChanges } from './plan.ts';
import { addServices, byEndpoints, type Connection, connectionRow, serviceViews } from './views.ts';

export type { Connection } from './views.ts';

export interface DataPathOptions {
  readonly model: Layer4;
  /** What the packets come from and go to, where the model does not name its ports. */
  readonly devices: readonly string[];
  /** CPUs to pin a worker to each, -1 for none. One worker that is pinned to none unless given. */
  readonly cpus?: readonly number[];
}

export class DataPath {
  readonly #native: NativeDataPath;
  readonly #ports: readonly Port[];
  readonly #workers: number;
  /** What the workers count, a block each. */
  readonly statistics: StatisticsPage;
  #model: Layer4 = emptyLayer4;

  /** Opens the devices and forwards. Throws a HostError that says what the host refused and what to do about it. */
  constructor(options: DataPathOptions) {
    const { model, devices, cpus = [-1] } = options;
    this.#ports = model.ports.length > 0 ? model.ports : devices.map(name => ({ name, device: name, type: 'packet' }));
    this.#workers = cpus.length;
    const { flows: flowLimit, fragments: fragmentLimit } = model.limits;
    const interfaces = this.#ports.map(port => port.device);
    const vlans = this.#ports.map(port => port.vlan ?? 0);
    const addon = loadAddon();
    const statistics = pageWords(addon);
    this.#native = new addon.DataPath({ interfaces, vlans, cpus, flowLimit, fragmentLimit, statistics });
    this.statistics = new StatisticsPage(statistics, addon.statisticsLayout);
    throwFailure(this.#native.open());
    try {
      this.#change(model);
      this.#native.start();
      throwFailure(this.#native.steal());
    } catch (error) {
      this.#native.close();
      throw error;
    }
    this.#native.announce();
  }

  /** What is forwarded. */
  get model(): Layer4 {
    return this.#model;
  }

  /** Forwards by `model` from now on; flows go on as far as their servers are still there. Gives what has changed. */
  apply(model: Layer4): readonly Layer4Change[] {
    if (model.ports.length > 0 && !samePorts(model.ports, this.#ports)) {
      throw new UsageError('the ports cannot be changed while the data path runs', {
        value: model.ports.map(port => port.device).join(', '),
        remedy: 'restart sluice to forward between other devices',
      });
    }
    const changes = this.#change(model);
    throwFailure(this.#native.steal());
    if (changes.length > 0) this.#native.announce();
    return changes;
  }

  #change(model: Layer4): readonly Layer4Change[] {
    const changes = compareLayer4(this.#model, model);
    const outcome = this.#native.apply(planChanges(changes));
    if (outcome !== 'done') {
      throw new UsageError(`the director refuses a step of the change: ${outcome}`, {
        remedy: 'report this: a model that was read without errors can be applied',
      });
    }
    this.#model = model;
    return changes;
  }

  /** The services with the counts of all workers, as `ipvsadm -Ln` lists them. */
  services(): ServiceView[] {
    const total = new Map<string, NativeService>();
    for (const worker of this.#numbers()) addServices(total, this.#native.services(worker));
    return serviceViews(this.#model.services, total);
  }

  /** The connection tables of all workers, sorted. */
  connections(): Connection[] {
    return this.#numbers()
      .flatMap(worker => this.#native.connections(worker).map(connectionRow))
      .sort(byEndpoints);
  }

  /** Packets so far by reason. */
  counts(): Record<string, number> {
    const { reasons } = loadAddon();
    const counts = this.#numbers().map(worker => this.#native.counts(worker));
    const total = (index: number): number => counts.reduce((sum, one) => sum + (one[index] ?? 0), 0);
    return Object.fromEntries(reasons.map(({ name }, index) => [name, total(index)]));
  }

  /** Ports, and how the host's stack is kept away. */
  state(): NativeDataPathState {
    const state = this.#native.state();
    return { ...state, ports: state.ports.map((port, index) => ({ ...port, name: this.#ports[index]?.name ?? '' })) };
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
    a.every(({ device, vlan }, index) => device === b[index]?.device && vlan === b[index]?.vlan)
  );
}

function throwFailure(failure: NativeFailure | undefined): void {
  if (failure === undefined) return;
  throw new HostError(failure.problem);
}
