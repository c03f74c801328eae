// SPDX-License-Identifier: Apache-2.0
// A large value of JSON in the memory that the supervisor holds, for the next process. The value is written whole once,
// and then the edits that make each next value of the one before. When the edits have grown too long, the value is
// written whole again. The memory takes a text whole or not at all (native/engine/kept_texts.h).
import { applyEdits, difference, type Edit } from '../core/config/edits.ts';
import type { NativeCrashState } from '../native/live-director.ts';

export type KeptMemory = Pick<NativeCrashState, 'configuration' | 'keepConfiguration' | 'extendConfiguration'>;

/** Edits take so many characters at least before the value is written whole again. */
const leastEdits = 64 * 1024;
/** Nor do they take more than this part of the whole value, so that the next process soon has it. */
const partOfWhole = 1 / 4;

export class KeptValue {
  readonly #memory: KeptMemory;
  #kept: { readonly value: unknown; readonly edits: number; readonly mostEdits: number } | undefined;

  constructor(memory: KeptMemory) {
    this.#memory = memory;
  }

  /** What the process before has kept last; undefined where there was none. */
  take(): unknown {
    const [whole, ...later] = this.#memory.configuration() ?? [];
    if (whole === undefined) return undefined;
    return later.reduce<unknown>(
      (value, text) => applyEdits(value, JSON.parse(text) as readonly Edit[]),
      JSON.parse(whole),
    );
  }

  /** Parts that the value shares with the one before cost nothing. False where the machine has no memory for it. */
  keep(value: unknown): boolean {
    return this.#extend(value) || this.#keepWhole(value);
  }

  #extend(value: unknown): boolean {
    if (this.#kept === undefined) return false;
    const { value: before, edits, mostEdits } = this.#kept;
    const text = JSON.stringify(difference(before, value));
    const length = edits + text.length;
    if (length > mostEdits || !this.#memory.extendConfiguration(text)) return false;
    this.#kept = { value, edits: length, mostEdits };
    return true;
  }

  #keepWhole(value: unknown): boolean {
    const text = JSON.stringify(value);
    const isKept = this.#memory.keepConfiguration(text);
    if (isKept) this.#kept = { value, edits: 0, mostEdits: Math.max(leastEdits, text.length * partOfWhole) };
    return isKept;
  }
}
