// SPDX-License-Identifier: Apache-2.0
// The example of docs/documents.md.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { documentFormat } from '../../../src/daemon/document.ts';
import { LocalFiles } from '../../../src/daemon/document-files.ts';

const example = fileURLToPath(new URL('../../../examples/several-files/sluice.yaml', import.meta.url));
const load = () => documentFormat.load(example, new LocalFiles({ source: { config: example } }));

afterEach(() => {
  delete process.env.SLUICE_UPLINK;
  delete process.env.SLUICE_WEB_WEIGHT;
});

it('means what one document says', async () => {
  process.env.SLUICE_UPLINK = 'eth0';
  process.env.SLUICE_WEB_WEIGHT = '3';
  const whole = documentFormat.from({
    director: {
      ports: { uplink: 'eth0', servers: 'eth1' },
      pools: { local: ['10.0.3.0/28'] },
      services: [
        { udp: '10.0.1.100:53', one_packet: true, servers: ['10.0.2.21', '10.0.2.22'] },
        {
          tcp: '10.0.1.100:80',
          mode: 'fullnat',
          pool: 'local',
          servers: [{ server: '10.0.2.11:8080', weight: 3 }, '10.0.2.12:8080'],
        },
      ],
    },
  });
  expect((await load()).id).toBe(whole.id);
});

it('needs its variable', async () => {
  await expect(load()).rejects.toThrow(`${example}:6:13: the environment has no such variable: "SLUICE_UPLINK"`);
});
