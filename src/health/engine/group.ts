// SPDX-License-Identifier: Apache-2.0
// A group at work: the states of its targets, its quorum, and slow starts.
import type { Clock, Timer } from '../../core/clock.ts';
import type { CheckedGroup, CheckedTarget, Health } from '../../core/observed.ts';
import { stateOfTarget, type TargetCheck, type TargetState } from './target.ts';

/** A target, what is known of it, and since when. */
export interface TargetView extends TargetState {
  readonly target: CheckedTarget;
  readonly checks: readonly TargetCheck[];
  /** Wall time of the last change of its health, in milliseconds; undefined before the first. */
  readonly since: number | undefined;
  /** How often it went from up to down or back. */
  readonly transitions: number;
  /** 1 unless a slow start is on its way. */
  readonly share: number;
}

/** A slow start goes in so many steps. */
const slowSteps = 10;

interface Member {
  target: CheckedTarget;
  checks: readonly TargetCheck[];
  state: TargetState;
  since: number | undefined;
  transitions: number;
  /** Steps of the slow start that are done; undefined without one. */
  step: number | undefined;
  timer: Timer | undefined;
}

/** What has happened in a group, for the log and for events. */
export interface GroupNews {
  readonly group: string;
  /** all: `down` when no target is up any more, `up` when one is again. */
  readonly about: 'target' | 'quorum' | 'all';
  /** Of `target`. */
  readonly target?: TargetView;
  readonly health: Health;
}

/** Sums of weights: of the targets that are up, and those at which the quorum changes. */
export interface GroupWeights {
  readonly live: number;
  readonly lostBelow: number;
  readonly metFrom: number;
}

export interface GroupOptions {
  readonly clock: Clock;
  /** Is called after each change that others have to know. */
  readonly changed: (group: Group, news: readonly GroupNews[]) => void;
}

export class Group {
  readonly key: string;
  readonly #options: GroupOptions;
  #checked: CheckedGroup;
  #members: Member[] = [];
  #quorum: Health | undefined;
  /** Whether a target was up, when that was looked at last; true before. */
  #hasLive = true;
  /** What others were told last. */
  #told = '';

  /** Use `configure` before anything else. */
  constructor(checked: CheckedGroup, options: GroupOptions) {
    this.key = checked.key;
    this.#checked = checked;
    this.#options = options;
  }

  get quorum(): Health {
    return this.#quorum ?? 'up';
  }

  /** The sum of weights of targets that are up. */
  #liveWeight(): number {
    return this.#members
      .filter(({ state }) => state.health === 'up')
      .reduce((sum, member) => sum + weightOf(member), 0);
  }

  get checked(): CheckedGroup {
    return this.#checked;
  }

  get targets(): TargetView[] {
    return this.#members.map(viewOf);
  }

  /** Goes on with another form of the group. A target of the same key keeps its slow start. */
  configure(checked: CheckedGroup, checksOf: (target: CheckedTarget) => readonly TargetCheck[]): void {
    const before = new Map(this.#members.map(member => [member.target.key, member]));
    this.#checked = checked;
    this.#members = checked.targets.map(target => {
      const checks = checksOf(target);
      const known = before.get(target.key);
      before.delete(target.key);
      if (known !== undefined) return Object.assign(known, { target, checks });
      const state = stateOfTarget(target, checks, checked.start);
      return { target, checks, state, since: undefined, transitions: 0, step: undefined, timer: undefined };
    });
    for (const { timer } of before.values()) timer?.cancel();
    if (checked.slowStart === 0) for (const member of this.#members) this.#endSlowStart(member);
    this.refresh();
  }

  /** Computes all states anew, after a change of a check. */
  refresh(): void {
    const news = this.#members.map(member => this.#refreshMember(member)).filter(each => each !== undefined);
    const hadOther = this.#refreshQuorum();
    const quorumNews = hadOther ? [{ group: this.key, about: 'quorum', health: this.quorum } as const] : [];
    this.#tell([...news, ...this.#refreshLive(), ...quorumNews]);
  }

  close(): void {
    for (const { timer } of this.#members) timer?.cancel();
  }

  /** Others hear of the group when there is something that they do not know. */
  #tell(news: readonly GroupNews[]): void {
    const states = this.#members
      .map(viewOf)
      .map(({ target, health, known, weight, share }) => [...[target.key, health, known], ...[weight ?? null, share]]);
    const now = JSON.stringify([this.quorum, states]);
    if (now === this.#told) return;
    this.#told = now;
    this.#options.changed(this, news);
  }

  #refreshMember(member: Member): GroupNews | undefined {
    const before = member.state;
    const state = stateOfTarget(member.target, member.checks, this.#checked.start);
    member.state = state;
    if (state.health === before.health && (state.known === before.known || state.health === 'up')) return undefined;
    member.since = this.#options.clock.now();
    if (before.known && state.health !== before.health) member.transitions++;
    if (state.health === 'down') this.#endSlowStart(member);
    else if (before.known && this.#checked.slowStart > 0) this.#beginSlowStart(member);
    return { group: this.key, about: 'target', target: viewOf(member), health: state.health };
  }

  #refreshLive(): GroupNews[] {
    const hadLive = this.#hasLive;
    this.#hasLive = this.#members.length === 0 || this.#members.some(({ state }) => state.health === 'up');
    if (this.#hasLive === hadLive) return [];
    return [{ group: this.key, about: 'all', health: this.#hasLive ? 'up' : 'down' }];
  }

  /** What decides about the quorum. */
  get weights(): GroupWeights {
    // As keepalived: a quorum beyond all weights together is as good as all of them.
    const total = this.#members.reduce((sum, { target }) => sum + target.weight, 0);
    const quorum = Math.max(1, Math.min(this.#checked.quorum, total));
    const hysteresis = Math.min(this.#checked.hysteresis, quorum - 1);
    return { live: this.#liveWeight(), lostBelow: quorum - hysteresis, metFrom: quorum + hysteresis };
  }

  /** Whether the quorum is another one than before. */
  #refreshQuorum(): boolean {
    const { live, lostBelow, metFrom } = this.weights;
    const before = this.#quorum;
    if (before === 'up') {
      if (live < lostBelow) this.#quorum = 'down';
    } else {
      this.#quorum = live >= metFrom ? 'up' : 'down';
    }
    return before === undefined ? this.#quorum === 'down' : before !== this.#quorum;
  }

  #beginSlowStart(member: Member): void {
    member.timer?.cancel();
    member.step = 1;
    this.#waitForStep(member);
  }

  #waitForStep(member: Member): void {
    const milliseconds = (this.#checked.slowStart * 1000) / slowSteps;
    member.timer = this.#options.clock.after(milliseconds, () => {
      member.step = (member.step ?? slowSteps) + 1;
      if (member.step >= slowSteps) this.#endSlowStart(member);
      else this.#waitForStep(member);
      this.#tell([]);
    });
  }

  #endSlowStart(member: Member): void {
    member.timer?.cancel();
    member.timer = undefined;
    member.step = undefined;
  }
}

function viewOf({ target, checks, state, since, transitions, step }: Member): TargetView {
  return { ...state, target, checks, since, transitions, share: step === undefined ? 1 : step / slowSteps };
}

function weightOf({ target, state }: Member): number {
  return target.weight === 0 ? 0 : (state.weight ?? target.weight);
}
