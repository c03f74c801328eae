// SPDX-License-Identifier: Apache-2.0
// What is said of documents that are wrong: each message names the place, the value and the remedy.
import { describe, expect, it } from 'vitest';
import { ConfigErrors } from '../../../src/core/config/problems.ts';
import { longestText } from '../../../src/core/config/yaml.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { documentFormat } from '../../../src/daemon/document.ts';

function messagesOf(text: string): string[] {
  try {
    documentFormat.parse(text, 'a.yaml');
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.map(({ message }) => message);
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
  return [];
}

const servicesOf = (service: string) =>
  `director:\n  services:\n    - ${service.trim().split('\n').join('\n      ')}\n`;

describe('YAML that cannot be read', () => {
  it.each([
    [
      'a tab as indentation',
      'director:\n\tservices: []\n',
      ['a.yaml:2:1: a tab is used as indentation (indent with spaces)'],
    ],
    [
      'a key that stands twice',
      'director:\n  limits: { flows: 1 }\n  limits: { flows: 2 }\n',
      ['a.yaml:3:3: the key stands twice in the same map (write each key once)'],
    ],
    [
      'two documents',
      'director: {}\n---\ndirector: {}\n',
      ['a.yaml:2:1: the file has more than one document (remove the line ---)'],
    ],
    [
      'an alias without an anchor',
      'director: *nothing\n',
      ['a.yaml:1:11: the alias *nothing has no anchor before it (define &nothing first)'],
    ],
    [
      'an alias inside its own value',
      'director: &x { limits: *x }\n',
      ['a.yaml:1:24: the alias *x stands inside its own value (write the value out)'],
    ],
    [
      'a tag',
      'director: !!js/function "x"\n',
      ['a.yaml:1:11: unresolved tag: tag:yaml.org,2002:js/function (write the value without a tag)'],
    ],
    [
      'an older YAML',
      '%YAML 1.1\n---\ndirector: {}\n',
      ['a.yaml:1:1: the document asks for another YAML than 1.2 (remove the %YAML line)'],
    ],
    [
      'infinity',
      'director: { limits: { flows: .inf } }\n',
      ['a.yaml:1:30: this value is of a kind that no setting has (write a number, a word or a quoted text)'],
    ],
    [
      'a map as a key',
      '? { a: 1 }\n: 2\n',
      ['a.yaml:1:3: a key is not a plain word (write a word, a number or a quoted text before the colon)'],
    ],
  ])('%s', (_name, text, messages) => {
    expect(messagesOf(text)).toEqual(messages);
  });

  it('an IPv6 address without quotes: the message says that it needs them', () => {
    const [message = ''] = messagesOf(servicesOf('tcp: [2001:db8::1]:80'));
    expect(message).toMatch(/^a\.yaml:3:25: .*"\[2001:db8::1\]:80", in quotes\)$/);
  });

  it('nesting without end is refused in a message', () => {
    const [message] = messagesOf('['.repeat(100_000));
    expect(message).toMatch(/^a\.yaml:1:\d+: the document is nested too deeply \(nest at most 64 levels\)$/);
  });

  it('aliases of aliases of aliases are refused before they take memory', () => {
    const lines = ['x0: &x0 [1, 2, 3, 4, 5, 6, 7, 8, 9]'];
    for (let level = 1; level < 12; level++) {
      lines.push(`x${level}: &x${level} [${new Array(9).fill(`*x${level - 1}`).join(', ')}]`);
    }
    const [message] = messagesOf(lines.join('\n'));
    expect(message).toBe(
      'a.yaml:7:9: the aliases stand for too many values (write the values out, or use fewer aliases)',
    );
  });

  it('a document beyond the limit is refused unread', () => {
    const [message] = messagesOf(`# ${'x'.repeat(longestText)}`);
    expect(message).toBe(`a.yaml: the document is too long: ${longestText + 2} (keep it below 8 MiB)`);
  });

  it('keys of JavaScript objects are keys like any others', () => {
    expect(
      messagesOf('__proto__: { polluted: 1 }\nconstructor: 1\ndirector: { pools: { __proto__: [10.0.0.1] } }\n'),
    ).toEqual([
      'a.yaml:1:1: the document has no such key: "__proto__" (use director, health, process, api or events)',
      'a.yaml:2:1: the document has no such key: "constructor" (use director, health, process, api or events)',
      'a.yaml:3:22: director.pools has a name that is not allowed: "__proto__" (begin with a letter; use at most 32 letters, digits, _, . and -)',
    ]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('documents that the schema does not allow', () => {
  it.each([
    [
      'an unknown section',
      'directr: {}\n',
      ['a.yaml:1:1: the document has no such key: "directr" (did you mean director?)'],
    ],
    [
      'an unknown key',
      servicesOf('tcp: 10.0.1.1:80\nsheduler: rr'),
      ['a.yaml:4:7: director.services[0] has no such key: "sheduler" (did you mean scheduler?)'],
    ],
    [
      'sysctls of IPVS that are no switches here, or have one value only',
      'director:\n  switches:\n    cache_bypass: 1\n    snat_reroute: 1\n    run_estimation: off\n    sync_version: 1\n    sloppy_tpc: 1\n',
      [
        'a.yaml:3:19: director.switches.cache_bypass has a value that is not to be had: 1 (use 0 and give the service a server of last resort: without a real server a packet is refused)',
        'a.yaml:5:21: director.switches.run_estimation has a value that is not to be had: "off" (use 1: counters are always kept, and rates are made by whoever reads them)',
        'a.yaml:6:5: director.switches has no such key: "sync_version" (remove it: there is no connection synchronisation)',
        'a.yaml:7:5: director.switches has no such key: "sloppy_tpc" (did you mean sloppy_tcp?)',
      ],
    ],
    [
      'a misspelt scheduler',
      servicesOf('tcp: 10.0.1.1:80\nscheduler: wrrr'),
      ['a.yaml:4:18: director.services[0].scheduler is not one of the known words: "wrrr" (did you mean wrr?)'],
    ],
    [
      'a weight out of range',
      servicesOf('tcp: 10.0.1.1:80\nservers:\n  - { server: 10.0.2.1, weight: -1 }'),
      ['a.yaml:5:39: director.services[0].servers[0].weight is out of range: -1 (use 0 to 2147483647)'],
    ],
    [
      'a number in quotes',
      servicesOf('tcp: 10.0.1.1:80\nservers:\n  - { server: 10.0.2.1, weight: "3" }'),
      [
        'a.yaml:5:39: director.services[0].servers[0].weight must be a whole number: "3" (write a number without quotes or unit: 1)',
      ],
    ],
    [
      'a fraction',
      'director: { limits: { flows: 1.5 } }\n',
      ['a.yaml:1:30: director.limits.flows must be a whole number: 1.5 (use 1 to 100000000 flows)'],
    ],
    [
      'a list where a text belongs',
      servicesOf('tcp: [10.0.1.1, 80]'),
      [
        'a.yaml:3:12: director.services[0].tcp must be an address with a port: "a list" (put a value with brackets, such as "[2001:db8::1]:80", in quotes)',
      ],
    ],
    [
      'a map without what it needs',
      'director: { egress: { out: { sources: [10.0.0.0/8] } } }\n',
      ['a.yaml:1:28: director.egress.out lacks the key pool (add pool: public)'],
    ],
    [
      'an empty value',
      'director:\n  services:\n',
      ['a.yaml:2:12: director.services must be a list: "nothing" (such as [{ tcp: 10.0.1.100:80 }])'],
    ],
    [
      'a document that is no map',
      'hello\n',
      ['a.yaml:1:1: the document must be a map: "hello" (such as { director: … })'],
    ],
    [
      'a switch that is neither on nor off',
      'director: { switches: { sloppy_tcp: 2 } }\n',
      ['a.yaml:1:37: director.switches.sloppy_tcp is not one of the known words: 2 (use 0 or 1)'],
    ],
  ])('%s', (_name, text, messages) => {
    expect(messagesOf(text)).toEqual(messages);
  });
});

describe('services that contradict themselves', () => {
  it.each([
    [
      'a service defined twice',
      'director:\n  services:\n    - tcp: 10.0.1.1:80\n    - tcp: "10.0.1.1:080"\n    - udp: 10.0.1.1:80\n',
      [
        'a.yaml:4:7: director.services[1] is defined twice: "tcp 10.0.1.1:80" (remove it, or merge it with the one at a.yaml:3:7)',
      ],
    ],
    [
      'no address',
      servicesOf('scheduler: rr'),
      [
        'a.yaml:3:7: director.services[0] says neither address nor mark: "nothing" (write one of tcp, udp, sctp or mark)',
      ],
    ],
    [
      'two addresses',
      servicesOf('tcp: 10.0.1.1:80\nudp: 10.0.1.1:80'),
      [
        'a.yaml:3:7: director.services[0] says more than one thing to match: "tcp, udp" (write one of tcp, udp, sctp or mark)',
      ],
    ],
    [
      'all ports without persistence',
      servicesOf('tcp: 10.0.1.1'),
      [
        'a.yaml:3:12: director.services[0].tcp needs a port: all ports (0) are for persistent services only: "10.0.1.1" (write a port, or add persistence: 360)',
      ],
    ],
    [
      'a name instead of an address',
      servicesOf('tcp: www.example.com:80'),
      [
        'a.yaml:3:12: director.services[0].tcp is a name, not an address: "www.example.com:80" (write the address: names are not looked up)',
      ],
    ],
    [
      'a port out of range',
      servicesOf('tcp: 10.0.1.1:65536'),
      [
        'a.yaml:3:12: director.services[0].tcp has no valid port: "10.0.1.1:65536" (use a port from 0 to 65535 after the colon)',
      ],
    ],
    ...['0.0.0.0', '224.0.0.1', '255.255.255.255'].map((server): [string, string, string[]] => [
      `${server} as a server`,
      servicesOf(`tcp: 10.0.1.1:80\nservers: ["${server}:80"]`),
      [
        `a.yaml:4:17: director.services[0].servers[0] is not the address of one host: "${server}:80" (use one that is not multicast, broadcast, zero or link-local)`,
      ],
    ]),
    [
      'a server of another family',
      servicesOf('tcp: 10.0.1.1:80\nservers: ["[2001:db8::1]:80"]'),
      [
        'a.yaml:4:17: director.services[0].servers[0] is IPv6 and its service IPv4, which only mode tunnel can carry: "[2001:db8::1]:80" (use an IPv4 address, or mode: tunnel)',
      ],
    ],
    [
      'direct routing to another port',
      servicesOf('tcp: 10.0.1.1:80\nmode: dr\nservers: ["10.0.2.1:8080"]'),
      [
        'a.yaml:5:17: director.services[0].servers[0] has a port of its own, which mode dr cannot reach: "10.0.2.1:8080" (leave the port out, use 80, or use mode: nat)',
      ],
    ],
    [
      'FULLNAT without a pool',
      servicesOf('tcp: 10.0.1.1:80\nmode: fullnat\nservers: [10.0.2.1]'),
      ['a.yaml:3:7: director.services[0] needs a pool of local addresses for mode fullnat: "no pool" (add pool: NAME)'],
    ],
    [
      'an unknown pool',
      `${servicesOf('tcp: 10.0.1.1:80\npool: locl')}  pools: { local: [10.0.3.1] }\n`,
      ['a.yaml:4:13: director.services[0].pool names a pool that is not defined: "locl" (did you mean local?)'],
    ],
    [
      'a pool without an address of the family',
      `${servicesOf('tcp: 10.0.1.1:80\npool: local\nmode: fullnat\nservers: [10.0.2.1]')}  pools: { local: ["2001:db8::/64"] }\n`,
      [
        'a.yaml:4:13: director.services[0].pool has no IPv4 address for this service: "local" (add one to director.pools.local)',
      ],
    ],
    [
      'a pool that contains a service',
      `${servicesOf('tcp: 10.0.1.1:80')}  pools: { local: [10.0.1.0/24] }\n`,
      [
        'a.yaml:4:19: director.pools.local contains the address of a service: "10.0.1.1" (take 10.0.1.1 out of the pool: it belongs to tcp 10.0.1.1:80)',
      ],
    ],
    [
      'thresholds the wrong way round',
      servicesOf('tcp: 10.0.1.1:80\nservers:\n  - { server: 10.0.2.1, upper_threshold: 5, lower_threshold: 6 }'),
      [
        'a.yaml:5:68: director.services[0].servers[0].lower_threshold is higher than upper_threshold: 6 (use at most upper_threshold, 5)',
      ],
    ],
    [
      'a netmask for IPv6',
      servicesOf('tcp: "[2001:db8::1]:80"\npersistence: { netmask: 255.255.255.0 }'),
      ['a.yaml:4:31: director.services[0].persistence.netmask is for IPv4: "255.255.255.0" (write prefix: 64)'],
    ],
    [
      'a prefix that is too long',
      servicesOf('tcp: 10.0.1.1:80\npersistence: { prefix: 33 }'),
      ['a.yaml:4:30: director.services[0].persistence.prefix is longer than an IPv4 address: 33 (use 0 to 32)'],
    ],
    [
      'GUE without a port',
      servicesOf('tcp: 10.0.1.1:80\nmode: tunnel\nservers: [{ server: 10.0.2.1, tunnel: gue }]'),
      [
        'a.yaml:5:45: director.services[0].servers[0].tunnel needs the UDP port of the real server: "gue" (write { type: gue, port: 6080 })',
      ],
    ],
    [
      'a tunnel for NAT',
      servicesOf('tcp: 10.0.1.1:80\nservers: [{ server: 10.0.2.1, tunnel: gre }]'),
      [
        'a.yaml:4:45: director.services[0].servers[0].tunnel goes with mode: tunnel only: "nat" (add mode: tunnel, or remove it)',
      ],
    ],
    [
      "another scheduler's flag",
      servicesOf('tcp: 10.0.1.1:80\nscheduler: mh\nflags: [mh-port, sh-port]'),
      [
        'a.yaml:5:24: director.services[0].flags[1] is not a flag of the scheduler mh: "sh-port" (use mh-fallback, mh-port or flag-3)',
      ],
    ],
    [
      'one-packet scheduling of TCP',
      servicesOf('tcp: 10.0.1.1:80\none_packet: true'),
      ['a.yaml:4:19: director.services[0].one_packet is for UDP services: true (remove it)'],
    ],
    [
      'a SYN proxy for direct routing',
      servicesOf('tcp: 10.0.1.1:80\nmode: dr\nsyn_proxy: on\nservers: [10.0.2.1]'),
      [
        'a.yaml:5:18: director.services[0].syn_proxy is not possible with mode dr: "on" (use mode nat or fullnat for every server: replies have to come back through the director)',
      ],
    ],
    [
      'the PROXY protocol for a tunnel',
      servicesOf('tcp: 10.0.1.1:80\nproxy_protocol: v2\nservers: [10.0.2.1, { server: 10.0.2.2, mode: tunnel }]'),
      [
        'a.yaml:4:23: director.services[0].proxy_protocol is not possible with mode tunnel: "v2" (use mode nat or fullnat for every server: replies have to come back through the director)',
      ],
    ],
    [
      'the PROXY protocol for UDP',
      servicesOf('udp: 10.0.1.1:53\nproxy_protocol: v2'),
      ['a.yaml:4:23: director.services[0].proxy_protocol is for TCP services: "v2" (remove it)'],
    ],
    [
      'a version of the PROXY protocol that is not sent',
      servicesOf('tcp: 10.0.1.1:80\nproxy_protocol: v1'),
      ['a.yaml:4:23: director.services[0].proxy_protocol is not one of the known words: "v1" (did you mean v2?)'],
    ],
    [
      'a server listed twice',
      servicesOf('tcp: 10.0.1.1:80\nservers: [10.0.2.1, 10.0.2.2, "10.0.2.1:80"]'),
      [
        'a.yaml:4:37: director.services[0].servers[2] is listed twice: "10.0.2.1:80" (remove it, or the one at a.yaml:4:17)',
      ],
    ],
    [
      'networks that overlap',
      'director: { pools: { local: [10.0.3.0/24, 10.0.3.7, 10.0.4.1/24] } }\n',
      [
        'a.yaml:1:43: director.pools.local[1] is listed twice: "10.0.3.7" (remove one: it overlaps with 10.0.3.0/24)',
        'a.yaml:1:53: director.pools.local[2] is not an address or a network: "10.0.4.1/24" (write 10.0.2.0/24 or 2001:db8::/64, without bits beyond the prefix)',
      ],
    ],
    [
      'a range of ports the wrong way round',
      'director: { pools: { local: { addresses: [10.0.3.1], ports: 9-1 } } }\n',
      [
        'a.yaml:1:61: director.pools.local.ports is not a range of ports: "9-1" (use 1 to 65535, the lower number first)',
      ],
    ],
  ])('%s', (_name, text, messages) => {
    expect(messagesOf(text)).toEqual(messages);
  });
});

describe('all errors of a file', () => {
  it('are reported at once, in the order of the lines, each mistake once', () => {
    const text = [
      'director:',
      '  services:',
      '    - tcp: 10.0.1.1:80',
      '      servers: [10.0.2.1:x, 10.0.2.300]',
      '    - tcp: 10.0.1.2:80',
      '      weigth: 3',
      '      servers: ["[2001:db8::1]:80"]',
      '    - udp: 10.0.1.3',
      '  limits: { flows: 0 }',
      '',
    ].join('\n');
    expect(messagesOf(text).map(message => message.slice(0, 14))).toEqual([
      'a.yaml:4:17: d',
      'a.yaml:4:29: d',
      'a.yaml:6:7: di',
      'a.yaml:8:12: d',
      'a.yaml:9:20: d',
    ]);
  });

  it('are limited to a number that people read, and the rest is counted', () => {
    const text = `director:\n${Array.from({ length: 60 }, (_, index) => `  x${index}: 1\n`).join('')}`;
    expect.assertions(3);
    try {
      documentFormat.parse(text, 'a.yaml');
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      expect(error.errors.length).toBe(50);
      expect(error.omitted).toBe(10);
      expect(error.message.split('\n').at(-1)).toBe('… and 10 more');
    }
  });

  it('name the path when a program made the configuration', () => {
    expect(() => documentFormat.from({ director: { services: [{ tcp: '10.0.1.1:80', servers: ['x'] }] } })).toThrow(
      'director.services[0].servers[0] is a name, not an address: "x" (write the address: names are not looked up)',
    );
  });
});
