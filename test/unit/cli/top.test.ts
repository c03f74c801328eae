// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { type Measurement, ratesBetween } from '../../../src/cli/top/rates.ts';
import { shortNumber, tableLines } from '../../../src/cli/top/table.ts';
import { readRules } from '../../../src/director/ipvsadm/rules.ts';
import { serviceViews } from '../../../src/director/views.ts';
import { noCounts } from '../../../src/native/service-rows.ts';

const model = readRules(
  '-A -t [2001:db8:1111:2222:3333:4444:5555:6666]:80 -s rr\n-A -t 10.0.1.100:80 -s wlc\n-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m\n',
  { file: 'rules' },
);

function measurement(at: number, connections: number, bytes: number): Measurement {
  const counts = { connections, packets_in: 10 * connections, packets_out: 0, bytes_in: bytes, bytes_out: 0 };
  const row = { ...noCounts, ...counts, active: 1, inactive: 2 };
  return {
    at,
    workers: [
      {
        name: 'worker 0',
        awakeNanoseconds: at / 4,
        longestVisitNanoseconds: 0,
        received: connections,
        receivedBytes: 0,
        transmitted: 0,
        transmittedBytes: 0,
      },
    ],
    services: serviceViews(
      model.services,
      new Map([
        ['4 tcp 10.0.1.100:80', row],
        ['4 tcp 10.0.1.100:80 > 10.0.2.11:8080', row],
      ]),
    ),
    reasons: [
      { name: 'established', verdict: 'forward', packets: 10 * connections },
      { name: 'no-route', verdict: 'drop', packets: 3 },
    ],
  };
}

const second = 1e9;

describe('rates', () => {
  it('are the increase between two measurements', () => {
    const rates = ratesBetween(measurement(second, 10, 500), measurement(3 * second, 30, 2500));
    const service = rates.services.find(({ servers }) => servers.length > 0);
    expect(service?.rates).toEqual({ connections: 10, packetsIn: 100, packetsOut: 0, bytesIn: 1000, bytesOut: 0 });
    expect(service?.servers[0]?.rates).toEqual(service?.rates);
    expect(rates.workers).toMatchObject([{ awake: 0.25, received: 10 }]);
    expect(rates.reasons).toMatchObject([{ perSecond: 100 }, { perSecond: 0 }]);
  });

  it('begin again where counters were set to zero', () => {
    const rates = ratesBetween(measurement(second, 100, 500), measurement(2 * second, 5, 0));
    expect(rates.services.find(({ servers }) => servers.length > 0)?.rates.connections).toBe(5);
  });

  it('of a new service are zero', () => {
    const before = { ...measurement(second, 0, 0), services: [] };
    const rates = ratesBetween(before, measurement(2 * second, 5, 0));
    expect(rates.services.map(service => service.rates.connections)).toEqual([0, 0]);
  });
});

describe('the table', () => {
  it('is 80 columns wide, cuts long names, and has dropped packets first', () => {
    const lines = tableLines(ratesBetween(measurement(second, 10, 500), measurement(2 * second, 1_000_000, 1e12)));
    expect(lines).toEqual([
      'worker 0   awake  25.0 %   in 1.00M pkt/s     0 B/s   out     0 pkt/s     0 B/s',
      '',
      'service                                 conns  new/s in p/s    out in B/s    out',
      'tcp 10.0.1.100:80 wlc                       3  1.00M  10.0M      0  1.00T      0',
      '  -> 10.0.2.11:8080 nat                     3  1.00M  10.0M      0  1.00T      0',
      'tcp [2001:db8:1111:2222:3333:4444:555…      0      0      0      0      0      0',
      '',
      'packets                                so far  pkt/s',
      'drop    no-route                            3      0',
      'forward established                     10.0M  10.0M',
    ]);
  });

  it.each([
    [0, '0'],
    [7, '7'],
    [7.26, '7.3'],
    [42.55, '42.5'],
    [999.4, '999'],
    [999.6, '1.00k'],
    [1234, '1.23k'],
    [45_600_000, '45.6M'],
    [1e15, '1000T'],
  ])('writes %s as %s', (number, text) => {
    expect(shortNumber(number)).toBe(text);
  });
});
