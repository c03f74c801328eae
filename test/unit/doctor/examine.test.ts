// SPDX-License-Identifier: Apache-2.0
// What the looks at a host say of hosts that a test describes, and that this host can be looked at.
import { describe, expect, it } from 'vitest';
import { examine } from '../../../src/doctor/examine.ts';
import type { Purpose } from '../../../src/doctor/finding.ts';
import { type Host, thisHost } from '../../../src/doctor/host.ts';

interface Described {
  readonly files?: Readonly<Record<string, string>>;
  /** Undefined: it fails. */
  readonly programs?: Readonly<Record<string, string | undefined>>;
  readonly free?: number;
}

const healthy: Readonly<Record<string, string>> = {
  '/proc/sys/kernel/osrelease': '6.12.1-amd64',
  '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance',
};
const synchronised = { 'timedatectl show --property=NTPSynchronized --value': 'yes\n' };
const anyLink = { 'ip -json link show': '[]' };
const link = (changes: object = {}) => ({
  'ip -json -stats -stats link show dev eth0': JSON.stringify([
    { flags: ['BROADCAST', 'UP', 'LOWER_UP'], mtu: 1500, stats64: { rx: { missed_errors: 0 } }, ...changes },
  ]),
});
const gigabyte = 1024 ** 3;

function host({ files = {}, programs = {}, free = gigabyte }: Described): Host {
  const all = { ...healthy, ...files };
  return {
    read: path => all[path],
    list: path => {
      const below = Object.keys(all).filter(file => file.startsWith(`${path}/`));
      return [...new Set(below.map(file => file.slice(path.length + 1).split('/')[0] ?? ''))];
    },
    run: (program, args) => ({ ...synchronised, ...anyLink, ...link(), ...programs })[[program, ...args].join(' ')],
    free: () => free,
  };
}

const purpose = (more: Partial<Purpose> = {}): Purpose => ({
  devices: ['eth0'],
  stealing: undefined,
  tunnels: [],
  direct: [],
  stateFolder: '/var/lib/sluice',
  processes: [],
  lostFrames: new Map(),
  ...more,
});

/** The findings that are not good, as `VERDICT ABOUT: FOUND (REMEDY)`. */
function complaints(described: Described, what = purpose()): string[] {
  return examine(host(described), what)
    .filter(({ verdict }) => verdict !== 'good')
    .map(
      ({ verdict, about, found, remedy }) =>
        `${verdict} ${about}: ${found}${remedy === undefined ? '' : ` (${remedy})`}`,
    );
}

const tunnelled = (overhead: number) => purpose({ tunnels: [{ server: '10.0.9.11', overhead }] });
const routeBy = (words: string) => ({ 'ip route get 10.0.9.11': `10.0.9.11 dev eth0 src 10.0.9.1 ${words}` });

const direct = (...servers: string[]) =>
  purpose({ direct: servers.map(server => ({ address: '192.0.2.20', server })) });
const onLink = (server: string) => ({ [`ip route get ${server}`]: `${server} dev eth1 src 10.0.2.1` });
const [asked, askedAgain] = ['arping -D -c 1 -w 1 -I eth1 192.0.2.20', 'arping -c 1 -w 1 -I eth1 192.0.2.20'];
const answered = 'Unicast reply from 192.0.2.20 [3E:5C:02:E3:24:78]  0.7ms';

describe('the doctor', () => {
  it('finds nothing on a host that is in order', () => {
    expect(complaints({})).toEqual([]);
  });

  it.each<[string, Described, Purpose, string]>([
    [
      'an old kernel',
      { files: { '/proc/sys/kernel/osrelease': '6.1.0' } },
      purpose(),
      'advice kernel: 6.1.0 has no tcx',
    ],
    ['nftables', {}, purpose({ stealing: 'nftables' }), 'advice kernel: 6.12.1-amd64; stealing is nftables'],
    [
      'services of the kernel',
      {
        files: {
          '/proc/net/ip_vs': 'IP Virtual Server version 1.2.1\nProt LocalAddress:Port\nTCP  C0000201:0050 wlc\n',
        },
      },
      purpose(),
      'problem IPVS of the kernel: has 1 services of its own',
    ],
    [
      'a full table of conntrack',
      {
        files: {
          '/proc/sys/net/netfilter/nf_conntrack_count': '900',
          '/proc/sys/net/netfilter/nf_conntrack_max': '1000',
        },
      },
      purpose(),
      'nf_conntrack_max=2000',
    ],
    [
      'slow CPUs',
      { files: { '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'powersave' } },
      purpose(),
      'advice CPUs: 1 of 1 may run slower',
    ],
    ['a device that is missing', {}, purpose({ devices: ['eth1'] }), 'problem device eth1: there is no such device'],
    ['a device that is down', { programs: link({ flags: ['BROADCAST'] }) }, purpose(), 'is down (ip link set eth0 up)'],
    ['a device without a carrier', { programs: link({ flags: ['NO-CARRIER', 'UP'] }) }, purpose(), 'has no carrier'],
    [
      'LRO',
      { programs: { 'ethtool -k eth0': 'Features for eth0:\nlarge-receive-offload: on\n' } },
      purpose(),
      'ethtool -K eth0 lro off',
    ],
    [
      'a small ring',
      {
        programs: {
          ...link({ stats64: { rx: { missed_errors: 12 } } }),
          'ethtool -g eth0': 'Pre-set maximums:\nRX:\t\t4096\nCurrent hardware settings:\nRX:\t\t256\n',
        },
      },
      purpose(),
      "had no room for 12 packets since the host's start; its ring has 256 places (ethtool -G eth0 rx 4096)",
    ],
    ['slow workers', {}, purpose({ lostFrames: new Map([['eth0', 7]]) }), 'Sluice was too slow for 7 of its frames'],
    ['a narrow tunnel', { programs: routeBy('') }, tunnelled(20), 'packets of more than 1480 bytes do not fit'],
    [
      'a narrow tunnel by its route',
      { programs: routeBy('mtu 1400') },
      tunnelled(28),
      'packets of more than 1372 bytes do not fit (MTU 1400 of eth0)',
    ],
    [
      'a server in DR mode that answers ARP',
      {
        programs: {
          ...onLink('10.0.2.11'),
          [askedAgain]: answered,
          'ip neigh show to 10.0.2.11 dev eth1': '10.0.2.11 lladdr 3e:5c:02:e3:24:78 REACHABLE',
        },
      },
      direct('10.0.2.11'),
      'problem ARP on eth1: the real server 10.0.2.11 answers for 192.0.2.20',
    ],
    [
      'another host that answers ARP',
      { programs: { ...onLink('10.0.2.11'), [askedAgain]: answered } },
      direct('10.0.2.11'),
      'a host with the link-layer address 3e:5c:02:e3:24:78 answers for 192.0.2.20',
    ],
    [
      'no arping',
      { programs: onLink('10.0.2.11') },
      direct('10.0.2.11'),
      'unknown ARP: servers in DR mode are not asked',
    ],
    ['a server that has no route', {}, tunnelled(20), 'problem tunnel to 10.0.9.11: the host has no route'],
    [
      'few files',
      {
        files: {
          '/proc/7/limits': 'Max open files            10                  10         files',
          '/proc/7/fd/0': '',
          '/proc/7/fd/1': '',
          '/proc/7/fd/2': '',
          '/proc/7/fd/3': '',
          '/proc/7/fd/4': '',
          '/proc/7/fd/5': '',
          '/proc/7/fd/6': '',
          '/proc/7/fd/7': '',
        },
      },
      purpose({ processes: [{ name: 'control', pid: 7 }] }),
      'problem process control: has 8 of 10 open files',
    ],
    ['a full disk', { free: 1024 ** 2 }, purpose(), 'problem state folder: /var/lib/sluice has room for 1 MB'],
    [
      'no ip(8)',
      { programs: { 'ip -json link show': undefined } },
      purpose(),
      'unknown devices: devices and routes are not',
    ],
    [
      'files that only root sees',
      {},
      purpose({ processes: [{ name: 'control', pid: 7 }] }),
      'unknown processes: the open files of control cannot be read (ask as root)',
    ],
    [
      'a clock that is not synchronised',
      { programs: { 'timedatectl show --property=NTPSynchronized --value': 'no\n' } },
      purpose(),
      'advice time: the clock is not synchronised',
    ],
  ])('finds %s', (_name, described, what, complaint) => {
    const found = complaints(described, what);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(complaint);
  });

  it('finds tunnels wide enough for packets of clients', () => {
    expect(complaints({ programs: { ...routeBy(''), ...link({ mtu: 1600 }) } }, tunnelled(20))).toEqual([]);
  });

  it('asks once for servers that share an address, and not for those behind a router', () => {
    const programs = {
      ...onLink('10.0.2.11'),
      ...onLink('10.0.2.12'),
      'ip route get 10.0.9.11': '10.0.9.11 via 10.0.2.254 dev eth1 src 10.0.2.1',
      [asked]: '',
    };
    const arp = examine(host({ programs }), direct('10.0.2.11', '10.0.2.12', '10.0.9.11')).filter(
      ({ about }) => about === 'ARP',
    );
    expect(arp).toEqual([
      { about: 'ARP', verdict: 'good', found: "no server in DR mode answers for its service's address" },
    ]);
  });

  it('can look at this host', () => {
    const findings = examine(thisHost, purpose({ devices: ['lo'], processes: [{ name: 'test', pid: process.pid }] }));
    expect(findings.map(({ about }) => about)).toEqual(
      expect.arrayContaining(['kernel', 'IPVS of the kernel', 'conntrack', 'CPUs', 'device lo', 'processes', 'time']),
    );
  });
});
