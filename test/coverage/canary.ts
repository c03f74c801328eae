// SPDX-License-Identifier: Apache-2.0
// The canary of the coverage: one branch is taken, the other never. `npm run coverage` fails unless the report shows exactly
// this, since a wrong report may show everything or nothing as covered.

export function sing(air: 'clean' | 'foul'): string {
  if (air === 'clean') {
    return 'covered';
  }
  return 'never covered';
}
