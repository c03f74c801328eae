// SPDX-License-Identifier: Apache-2.0
// The canary of the coverage: one branch is taken, the other never, on purpose. `npm run coverage` fails unless the
// report says exactly that: figures that call everything covered, or nothing, are worse than none.

export function sing(air: 'clean' | 'foul'): string {
  if (air === 'clean') {
    return 'covered';
  }
  return 'never covered';
}
