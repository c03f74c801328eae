// SPDX-License-Identifier: Apache-2.0
// ipvsadm's listings, byte for byte as the real one printed them (test/golden/ipvsadm).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/core/address.ts';
import { formatEndpoint } from '../../../src/core/endpoint.ts';
import type { ListFormat } from '../../../src/director/ipvsadm/grammar.ts';
import {
  type ConnectionRow,
  formatConnections,
  formatCount,
  formatServices,
  idleView,
  type ServiceView,
} from '../../../src/director/ipvsadm/listing.ts';
import { readRules } from '../../../src/director/ipvsadm/rules.ts';
import { formatRules } from '../../../src/director/ipvsadm/save.ts';
import { serviceKey } from '../../../src/director/model.ts';

const golden = (name: string) => readFileSync(new URL(`../../golden/ipvsadm/${name}`, import.meta.url), 'utf8');

const recorded = new Map(
  golden('listing.recorded')
    .split(/^mark /m)
    .slice(1)
    .map(part => {
      const [name = '', ...lines] = part.split('\n');
      const said = lines.filter(line => line.startsWith('sh| ')).map(line => `${line.slice('sh| '.length)}\n`);
      return [name, said.join('')] as const;
    }),
);

// The commands of the recorded session.
const commands = golden('listing.sh')
  .split('\n')
  .filter(line => line.startsWith("run 'ipvsadm -C; "))
  .flatMap(line => line.split(';').map(command => command.replace(/^(?:run ')? *ipvsadm /, '').replace(/'$/, '')))
  .filter(command => /^-[Aa] /.test(command));
const model = readRules(commands.join('\n'));

// What the recorded session's clients had caused, as --stats, --rate and --persistent-conn show it.
function busyViews(): ServiceView[] {
  const counts = (connections: number, packetsIn: number, bytesIn: number) => ({
    connections,
    packetsIn,
    packetsOut: 0,
    bytesIn,
    bytesOut: 0,
  });
  const busy = new Map([
    ['tcp 10.0.1.100:80', { active: 1, inactive: 0, persistent: 0 }],
    ['udp 10.0.1.100:53', { active: 0, inactive: 1, persistent: 1 }],
    ['tcp [fd00:1::100]:80', { active: 1, inactive: 0, persistent: 1 }],
  ]);
  return model.services.map(service => {
    const idle = idleView(service);
    const state = busy.get(serviceKey(service.identity));
    return { ...idle, counters: counts(0, 0, 0), servers: idle.servers.map(server => ({ ...server, ...state })) };
  });
}

describe('services', () => {
  it.each<[string, ListFormat]>([
    ['services', 'services'],
    ['services thresholds', 'thresholds'],
    ['services persistent-conn', 'persistent-conn'],
    ['services tun-info', 'tun-info'],
  ])('%s are listed as ipvsadm lists them', (part, format) => {
    expect(formatServices(busyViews(), { format })).toBe(recorded.get(part));
  });

  it('one service is listed without the line about the version', () => {
    const views = busyViews().filter(({ identity }) => serviceKey(identity) === 'tcp 10.0.1.100:80');
    expect(formatServices(views, { single: true })).toBe(recorded.get('one'));
  });

  it.each<[string, ListFormat, boolean]>([
    ['services stats', 'stats', false],
    ['services stats exact', 'stats', true],
    ['services rate', 'rate', false],
  ])('%s have the columns of ipvsadm', (part, format, exact) => {
    // The recorded counters are facts of that session; the widths of the columns are ipvsadm's.
    const zeroed = (recorded.get(part) ?? '').replace(/\d+( +\d+){4}$/gm, numbers =>
      numbers.replace(/ *\d+/g, number => '0'.padStart(number.length)),
    );
    const firstColumn = (text: string) => text.replace(/(\S+) +0( +0){4}$/gm, '$1 $2');
    expect(firstColumn(formatServices(model.services.map(idleView), { format, exact }))).toBe(firstColumn(zeroed));
  });

  it('the rules are saved as ipvsadm saves them', () => {
    expect(formatRules(model).text).toBe(recorded.get('save'));
  });

  it('addresses that are far apart are sorted as ipvsadm sorts them', () => {
    const rules = ['192.168.0.1:80', '10.0.0.1:80'].map(address => `-A -t ${address}`).join('\n');
    const list = formatServices(readRules(rules).services.map(idleView));
    expect(list.split('\n').slice(3, 5)).toEqual(['TCP  192.168.0.1:80 wlc', 'TCP  10.0.0.1:80 wlc']);
  });

  it.each([
    [0, false, '        0'],
    [99_999_999, false, ' 99999999'],
    [100_000_000, false, '  100000K'],
    [999_999_999, false, '  999999K'],
    [1_000_000_000, false, '    1000M'],
    [99_999_999_999, false, '   99999M'],
    [100_000_000_000, false, '     100G'],
    [99_999_999_999_999n, false, '   99999G'],
    [100_000_000_000_000n, false, '     100T'],
    [18_446_744_073_709_551_615n, false, '18446744T'],
    [99_999_999, true, ' 99999999'],
    [18_446_744_073_709_551_615n, true, ' 18446744073709551615'],
  ])('the number %s (exact: %s) is printed as %j', (value, exact, text) => {
    expect(formatCount(value, exact)).toBe(text);
  });
});

describe('connections', () => {
  // /proc/net/ip_vs_conn: protocol, three addresses with ports in hexadecimal, state, seconds.
  const rows: ConnectionRow[] = (recorded.get('proc') ?? '')
    .split('\n')
    .slice(1, -1)
    .map(line => {
      const [protocol = '', client, clientPort, virtual, virtualPort, server, serverPort, state = '', expires] =
        line.split(/ +/);
      const end = (address = '', port = '') => ({ address: procAddress(address), port: Number.parseInt(port, 16) });
      return {
        protocol,
        expires: Number(expires),
        state,
        client: end(client, clientPort),
        virtual: end(virtual, virtualPort),
        server: end(server, serverPort),
      };
    });

  function procAddress(text: string): string {
    if (text.includes(':')) return parseAddress(text)?.text ?? text;
    return [0, 2, 4, 6].map(at => Number.parseInt(text.slice(at, at + 2), 16)).join('.');
  }

  it('are listed as ipvsadm lists them, IPv6 too', () => {
    expect(rows.some(({ client }) => formatEndpoint(client.address, client.port).startsWith('['))).toBe(true);
    expect(formatConnections(rows)).toBe(recorded.get('connections'));
  });

  it('minutes may have three digits', () => {
    const [row] = rows;
    if (row === undefined) throw new Error('nothing was recorded');
    expect(
      formatConnections([{ ...row, expires: 6000 }])
        .split('\n')[2]
        ?.slice(0, 11),
    ).toBe('UDP 100:00 ');
  });
});
