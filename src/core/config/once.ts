// SPDX-License-Identifier: Apache-2.0

/**
 * The function, computed once for each value. A value has to be frozen throughout, as a model in force is: what is computed
 * of it stays true. Of any other value it is computed each time.
 */
export function oncePerValue<Value extends object, Result>(compute: (value: Value) => Result): typeof compute {
  const results = new WeakMap<Value, Result>();
  return value => {
    if (!Object.isFrozen(value)) return compute(value);
    const known = results.get(value);
    if (known !== undefined) return known;
    const result = compute(value);
    results.set(value, result);
    return result;
  };
}
