// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { parseAddress } from '../../../src/core/address.ts';
import { broadcastTest } from '../../../src/daemon/broadcast.ts';

// Every host has the loopback interface, with the network 127.0.0.0/8.
it.each([
  ['127.255.255.255', true],
  ['127.0.0.255', false],
  ['127.0.0.1', false],
  ['::1', false],
])('tells of %s whether it is the broadcast address of an interface', (text, expected) => {
  const address = parseAddress(text);
  expect(address && broadcastTest()(address)).toBe(expected);
});
