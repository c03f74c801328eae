// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { documentFormat } from '../../../src/daemon/document.ts';
import { withMaintenance } from '../../../src/director/maintenance.ts';

const { director } = documentFormat.from({
  director: {
    services: [
      { tcp: '10.0.1.1:80', servers: ['10.0.2.1:80', { server: '10.0.2.2:80', weight: 5 }] },
      { tcp: '10.0.1.1:443', servers: ['10.0.2.1:443'] },
    ],
  },
});

const inMaintenance = (model: typeof director): string[] =>
  model.services.flatMap(({ servers }) =>
    servers.filter(({ maintenance }) => maintenance).map(({ address, port }) => `${address}:${port}`),
  );

describe('maintenance', () => {
  it.each([
    ['an address, on all of its ports', { server: '10.0.2.1' }, ['10.0.2.1:443', '10.0.2.1:80']],
    ['an address and port', { server: '10.0.2.1:443' }, ['10.0.2.1:443']],
    ['a server of one service', { server: '10.0.2.1', service: 'tcp 10.0.1.1:80' }, ['10.0.2.1:80']],
  ])('begins for %s', (_name, of, expected) => {
    const { model, servers } = withMaintenance(director, of, true);
    expect(inMaintenance(model)).toEqual(expected);
    expect(servers.map(({ server }) => server)).toEqual(expected);
  });

  it('ends with the model of before, and changes nothing the second time', () => {
    const { model } = withMaintenance(director, { server: '10.0.2.2' }, true);
    expect(withMaintenance(model, { server: '10.0.2.2' }, true).model).toEqual(model);
    expect(withMaintenance(model, { server: '10.0.2.2' }, false).model).toEqual(director);
  });

  it('is a change that a person reads', () => {
    const snapshots = [director, withMaintenance(director, { server: '10.0.2.2' }, true).model].map(model =>
      documentFormat.snapshot({ director: model }),
    );
    const [before = documentFormat.from({}), after = documentFormat.from({})] = snapshots;
    const described = (one: typeof before, other: typeof before) =>
      documentFormat.describe(documentFormat.compare(one, other));
    const subject = '~ tcp 10.0.1.1:80 server 10.0.2.2:80 maintenance:';
    expect(described(before, after)).toEqual([`${subject} none → true`]);
    expect(described(after, before)).toEqual([`${subject} true → none`]);
  });

  it('is refused for a server that no service has', () => {
    expect(() => withMaintenance(director, { server: '10.0.2.9' }, true)).toThrow('no service has this real server');
    expect(() => withMaintenance(director, { server: '10.0.2.2', service: 'tcp 10.0.1.1:443' }, true)).toThrow();
  });
});
