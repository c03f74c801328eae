// SPDX-License-Identifier: Apache-2.0
import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { defaultDevices } from '../../../src/director/devices.ts';

function address(text: string, internal = false): NetworkInterfaceInfo {
  const of = { address: text, internal, netmask: '', mac: '', cidr: null };
  return text.includes(':') ? { ...of, family: 'IPv6', scopeid: 0 } : { ...of, family: 'IPv4' };
}

describe('the devices to forward between where none is named', () => {
  it('are those with an address of more than the link, but the loopback', () => {
    const devices = defaultDevices({
      lo: [address('127.0.0.1', true), address('::1', true)],
      eth0: [address('192.0.2.1'), address('fe80::1')],
      eth1: [address('2001:db8::1')],
      'of-a-bridge': [address('fe80::2'), address('FEBF::3')],
    });
    expect(devices).toEqual(['eth0', 'eth1']);
  });
});
