// SPDX-License-Identifier: Apache-2.0
// Rules of firewall marks, from a document to the director. What they make of packets: native/test/director.
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/core/errors.ts';
import { documentFormat } from '../../../src/daemon/document.ts';
import { planModel } from '../../../src/director/plan.ts';
import { Director } from '../../../src/index.ts';
import * as wire from '../../../src/wire/packet-builder.ts';

const rules = [
  { mark: 5, port: 'c0', destination: '10.0.1.100', protocol: 'tcp', ports: '8000-8100' },
  { mark: 5, source: '2001:db8::/32', ports: 80 },
  { mark: 7 },
] as const;
const document = { director: { ports: { c0: 'eth0', s0: 'eth1' }, marks: rules } };

describe('in a sluice.yaml', () => {
  it('come back as they were written', () => {
    const snapshot = documentFormat.from(document);
    const written = { ...rules[0], destination: '10.0.1.100/32' };
    expect(documentFormat.write(snapshot)).toEqual({
      director: { ...document.director, marks: [written, rules[1], rules[2]] },
    });
    expect(documentFormat.from(documentFormat.write(snapshot)).id).toBe(snapshot.id);
  });

  it('become a step with numbers for ports and protocols', () => {
    const { director } = documentFormat.from(document);
    expect(planModel(director)).toEqual([
      {
        op: 'setMarks',
        marks: [
          {
            ...{ mark: 5, port: 0, protocol: 6, firstPort: 8000, lastPort: 8100 },
            destination: { family: 4, address: '10.0.1.100', prefix: 32 },
          },
          { mark: 5, source: { family: 6, address: '2001:db8::', prefix: 32 }, firstPort: 80, lastPort: 80 },
          { mark: 7 },
        ],
      },
    ]);
  });

  it('must name an existing port', () => {
    const text = 'director:\n  ports: { c0: eth0 }\n  marks: [{ mark: 1, port: c1 }]\n';
    expect(() => documentFormat.parse(text, 'a.yaml')).toThrow(
      'a.yaml:3:28: director.marks[0].port names a port that is not defined: "c1" (did you mean c0?)',
    );
    expect(() => documentFormat.parse(text, 'a.yaml')).toThrow(ConfigError);
  });
});

describe('given to a director', () => {
  const net = { ports: { c0: { mac: '02:00:00:00:01:01', addresses: ['10.0.1.1/24'] } } };
  const services = [{ mark: 5 }, { mark: 6 }];
  const frame = wire.buildFrame(
    wire.ethernet({ destination: '02:00:00:00:01:01' }),
    wire.ipv4({ source: '10.0.1.2', destination: '10.0.1.100' }),
    wire.tcp({ destinationPort: 80, flags: 'S' }),
  );
  const serviceOf = (director: Director, options = {}) => director.receive('c0', frame, 1n, options).service;

  it('those of the document count before those of the net', () => {
    const marks = [{ mark: 5, protocol: 'tcp', ports: 80 } as const];
    const netWithMarks = { ...net, marks: [{ mark: 6 }] };
    expect(serviceOf(new Director({ net: netWithMarks, config: { director: { services, marks } } }))).toBe('fwmark 5');
    expect(serviceOf(new Director({ net: netWithMarks, config: { director: { services } } }))).toBe('fwmark 6');
  });

  it('a mark that is given with the frame counts before the rules', () => {
    const director = new Director({ net, config: { director: { services, marks: [{ mark: 5 }] } } });
    expect(serviceOf(director, { mark: 6 })).toBe('fwmark 6');
    expect(serviceOf(director)).toBe('fwmark 5');
  });

  it('change with the rest of the configuration', () => {
    const director = new Director({ net, config: { director: { services, marks: [{ mark: 5 }] } } });
    director.configure({ config: { director: { services, marks: [{ mark: 6 }] } } });
    expect(serviceOf(director)).toBe('fwmark 6');
    director.configure({ config: { director: { services } } });
    expect(serviceOf(director)).toBeUndefined();
  });

  it('cannot name a port that it does not have', () => {
    expect(() => new Director({ net, config: { director: { marks: [{ mark: 5, port: 'eth7' }] } } })).toThrow(
      'a rule of marks names a port that is not there: "eth7" (use one of c0)',
    );
  });
});
