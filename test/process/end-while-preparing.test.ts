// SPDX-License-Identifier: Apache-2.0
// SIGTERM while a change is prepared by one plane and another one still thinks: nobody will commit it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Topology } from '../../lab/topology/topology.ts';
import { until } from '../../lab/topology/until.ts';
import { describeAsRoot } from '../privileges.ts';
import { bundledCommand } from './bundled.ts';

const program = bundledCommand(new URL('toy-beside-director/', import.meta.url));
const description = {
  hosts: { client: { interfaces: { eth0: ['10.1.0.2/24'] } }, balancer: { interfaces: { eth0: ['10.1.0.1/24'] } } },
  links: [{ between: ['client:eth0', 'balancer:eth0'] }],
} as const;
const document = `
director:
  stealing: nftables
  services: [{ tcp: "192.0.2.10:80", mode: nat, servers: ["10.1.0.2:8080"] }]
toy: { greeting: never, prepares: hangs }
`;

let standing: Topology | undefined;

afterEach(async () => {
  await standing?.down();
  standing = undefined;
});

describeAsRoot('a director that has prepared its first part, and keeps packets from the host by nftables', () => {
  it('leaves the host as it was when sluice is asked to end before the commit', { timeout: 240_000 }, async () => {
    standing = await Topology.up(description);
    const balancer = standing.host('balancer');
    const file = join(balancer.folder, 'toy.yaml');
    writeFileSync(file, document);
    const tables = () => balancer.must(['nft', 'list', 'tables']);
    const sluice = balancer.start('sluice', [...program, file, join(balancer.folder, 'toy.sock')]);
    await until('packets are kept from the host', 120_000, async () => (await tables()) !== '');
    sluice.kill('SIGTERM');
    expect((await sluice.ending).status).toBe(0);
    expect(await tables()).toBe('');
  });
});
