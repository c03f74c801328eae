// SPDX-License-Identifier: Apache-2.0
// Tests that test/process/privileges.test.ts runs as an ordinary user, also when root runs it.
import { describe, it } from 'vitest';
import { describeAsRoot, describeIf } from '../../privileges.ts';

process.getuid = () => 1000;

describeAsRoot('network namespaces', () => {
  it('are made', () => {});
  it('are removed', () => {});
});
describeIf(false, 'needs Linux 6.9', 'a new system call', () => it('is used', () => {}));
describeIf(true, 'needs nothing', 'an old system call', () => it('is used', () => {}));
describe.skip('forgotten', () => it('is not seen', () => {}));
