// SPDX-License-Identifier: Apache-2.0
// All checks at work. A check of a destination is made once, however many targets of groups want it.
//
//   probe ──result──▶ Watch ──state──▶ Group (targets, quorum) ──▶ published, with a number that grows
import { Awaited } from '../../core/awaited.ts';
import type { Clock } from '../../core/clock.ts';
import { canonicalJson } from '../../core/config/canonical.ts';
import type { CheckedTarget } from '../../core/observed.ts';
import type { Check, HealthModel } from '../model.ts';
import type { Destination, StartProbe } from '../probe.ts';
import { Group, type GroupNews } from './group.ts';
import type { TargetCheck } from './target.ts';
import { Watch } from './watch.ts';

export interface MonitorOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly probe: StartProbe;
  readonly news: (news: GroupNews) => void;
}

export class Monitor {
  readonly #options: MonitorOptions;
  /** By check and destination. */
  #watches = new Map<string, Watch>();
  #groups = new Map<string, Group>();
  #checks: ReadonlyMap<string, Check> = new Map();
  /** The groups that use a watch. */
  #users = new Map<Watch, Set<Group>>();
  #version = 0;
  /** By group: the version of its last change. */
  #changedAt = new Map<string, number>();
  /** The version at which a group was removed last. */
  #removedAt = 0;
  readonly #awaited = new Awaited();

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** Grows with each change of a group. */
  get version(): number {
    return this.#version;
  }

  get groups(): Iterable<Group> {
    return this.#groups.values();
  }

  group(key: string): Group | undefined {
    return this.#groups.get(key);
  }

  /** All checks at work. */
  get watches(): Iterable<Watch> {
    return this.#watches.values();
  }

  /** Whether a group was removed after this version. */
  removedAfter(version: number): boolean {
    return this.#removedAt > version;
  }

  /** The groups that changed after this version. */
  changedAfter(version: number): Group[] {
    return [...this.#groups.values()].filter(({ key }) => (this.#changedAt.get(key) ?? 0) > version);
  }

  /** Resolves when the version is greater than this one, or the signal is aborted. */
  changed(version: number, signal: AbortSignal): Promise<void> {
    return this.#awaited.until(() => this.#version > version, signal);
  }

  /** Goes on by another model. Checks and targets that it has as well keep their states. */
  configure({ checks, groups }: HealthModel): void {
    const definitions = new Map(checks.map(check => [check.name, this.#known(check)]));
    this.#checks = definitions;
    const before = this.#watches;
    this.#watches = new Map();
    this.#users = new Map();
    const watch = (check: Check, to: Destination): Watch => {
      const key = [check.name, to.address, to.port, ...(to.way === undefined ? [] : [canonicalJson(to.way)])].join(' ');
      const known = this.#watches.get(key);
      if (known !== undefined) return known;
      const dependencies = check.dependsOn
        .map(name => definitions.get(name))
        .filter(other => other !== undefined)
        .map(other => watch(other, destinationOf(other)));
      const old = before.get(key);
      const made = old ?? this.#watch(check, to);
      if (old === undefined) made.start(dependencies);
      else old.reconfigure(check, dependencies);
      this.#watches.set(key, made);
      return made;
    };
    const known = this.#groups;
    this.#groups = new Map();
    for (const checked of groups) {
      const group = known.get(checked.key) ?? new Group(checked, { ...this.#options, changed: this.#groupChanged });
      this.#groups.set(group.key, group);
      group.configure(checked, target =>
        target.checks.flatMap(({ check: name, weight }): TargetCheck[] => {
          const check = definitions.get(name);
          if (check === undefined) return [];
          const of = watch(check, destinationOf(check, target));
          this.#usersOf(of).add(group);
          return [{ weight, watch: of }];
        }),
      );
    }
    for (const [key, group] of known) {
      if (this.#groups.has(key)) continue;
      group.close();
      this.#changedAt.delete(key);
      this.#removedAt = this.#version + 1;
    }
    for (const [key, old] of before) {
      if (!this.#watches.has(key)) old.stop();
    }
    this.#publish();
  }

  /** The object that stands for the check already: what is kept by it, such as certificates, stays. */
  #known(check: Check): Check {
    const known = this.#checks.get(check.name);
    return known !== undefined && canonicalJson(known) === canonicalJson(check) ? known : check;
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.stop();
    for (const group of this.#groups.values()) group.close();
  }

  #watch(check: Check, to: Destination): Watch {
    return new Watch({
      ...{ check, to },
      ...this.#options,
      changed: watch => {
        for (const group of this.#usersOf(watch)) group.refresh();
      },
    });
  }

  #usersOf(watch: Watch): Set<Group> {
    const known = this.#users.get(watch) ?? new Set();
    this.#users.set(watch, known);
    return known;
  }

  readonly #groupChanged = (group: Group, news: readonly GroupNews[]): void => {
    for (const each of news) this.#options.news(each);
    this.#changedAt.set(group.key, this.#version + 1);
    this.#publish();
  };

  #publish(): void {
    this.#version++;
    this.#awaited.changed();
  }
}

function destinationOf(check: Check, target?: CheckedTarget): Destination {
  const { probe } = check;
  const way = probe.type === 'tcp' && probe.likeTraffic === true ? target?.way : undefined;
  const port = check.port ?? target?.port ?? 0;
  return { address: check.address ?? target?.address ?? '', port, ...(way !== undefined && { way }) };
}
