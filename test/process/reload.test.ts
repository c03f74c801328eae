// SPDX-License-Identifier: Apache-2.0
// When a changed configuration cannot be applied, `sluice run` goes on exactly as before.
import { afterEach, expect, it } from 'vitest';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const service = (address: string): string =>
  `    - { tcp: "${address}:80", servers: [{ server: "10.2.0.2:8080", mode: nat }] }\n`;
const before = `director:\n  limits: { flows: 10000 }\n  services:\n${service(virtual)}`;

interface Status {
  readonly snapshot: string;
  readonly director: { readonly services: readonly { readonly identity: { readonly address: string } }[] };
}

async function start(): Promise<{ sluice: RunningSluice; status: Status }> {
  running = await RunningSluice.startBy(before);
  return { sluice: running, status: await running.ask<Status>('status') };
}

async function reload(sluice: RunningSluice, document: string): Promise<string> {
  const from = sluice.program.stderr.length;
  sluice.configure(document);
  sluice.program.kill('SIGHUP');
  await sluice.program.logs('was not applied', from);
  return sluice.program.stderr.slice(from);
}

describeAsRoot('a changed configuration that cannot be had', () => {
  it('changes nothing where the kernel refuses what is to be kept from the host', async () => {
    const { sluice, status } = await start();
    // More networks than the BPF map can hold.
    const networks = (first: number): string =>
      Array.from({ length: 3000 }, (_, n) => `172.${first}.${n >> 8}.${n & 255}/32`).join(', ');
    const document = [
      'director:',
      '  limits: { flows: 10000 }',
      '  pools: { public: { addresses: [10.1.0.77/32] } }',
      '  egress:',
      `    one: { sources: [${networks(16)}], pool: public }`,
      `    other: { sources: [${networks(17)}], pool: public }`,
      '  services:',
      service('192.0.2.11'),
    ].join('\n');
    expect(await reload(sluice, document)).toContain('"name":"HostError"');
    expect(await sluice.ask<Status>('status')).toMatchObject({
      snapshot: status.snapshot,
      director: { services: status.director.services },
    });
    await sluice.request(3);
  });

  it.each(['', '# later\n', 'process: {}\n'])('goes on when the file says nothing: %j', async document => {
    const { sluice, status } = await start();
    expect(await reload(sluice, document)).toContain('the document says nothing');
    expect(await sluice.ask<Status>('status')).toMatchObject({ snapshot: status.snapshot });
    await sluice.request();
  });

  it.each([
    ['limits.flows', before.replace('flows: 10000', 'flows: 20000')],
    ['limits.fragments', before.replace('flows: 10000', 'flows: 10000, fragments: 77')],
  ])('names %s that needs a restart, and what to do', async (name, document) => {
    const { sluice, status } = await start();
    const logged = await reload(sluice, document);
    expect(logged).toContain(name);
    expect(logged).toContain('restart sluice');
    expect(await sluice.ask<Status>('status')).toMatchObject({ snapshot: status.snapshot });
    await sluice.request();
  });
});
