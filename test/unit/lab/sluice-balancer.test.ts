// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { sluiceDocument } from '../../../lab/balancers/sluice.ts';
import { scenarios } from '../../../lab/scenarios/table.ts';
import { Director } from '../../../src/index.ts';

const net = {
  ports: {
    eth0: { mac: '02:00:00:00:00:01', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    eth1: { mac: '02:00:00:00:00:02', addresses: ['10.2.0.1/24', 'fd00:2::1/64'] },
  },
};

describe('the lab as a user of sluice.yaml', () => {
  it.each(scenarios)('writes a document that the director takes: $name', ({ forwarding }) => {
    const config = sluiceDocument(forwarding, ['eth0', 'eth1']);
    expect(() => new Director({ net, config })).not.toThrow();
  });

  it('gives every scenario a name of its own', () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  });
});
