// SPDX-License-Identifier: Apache-2.0
// Files of ipvsadm's commands: what is wrong with them is said with line, column, word and remedy.
import { describe, expect, it } from 'vitest';
import { ConfigErrors } from '../../../src/core/config/problems.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { readRules } from '../../../src/director/ipvsadm/rules.ts';
import { formatRules } from '../../../src/director/ipvsadm/save.ts';

function messagesOf(text: string): string[] {
  try {
    readRules(text, {
      file: 'r',
      portNames: (name, protocol) => (name === 'http' && protocol === 'tcp' ? 80 : undefined),
    });
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.map(({ message }) => message);
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
  return [];
}

const add = '-A -t 10.0.1.1:80\n';

describe('a line that is wrong', () => {
  it.each([
    ['an unknown option', '-A -t 10.0.1.1:80 -q', 'r:1:19: -q: unknown option: "-q" (see ipvsadm(8) for the options)'],
    [
      'a misspelt long option',
      '-A --tcp-servise 10.0.1.1:80',
      'r:1:4: --tcp-servise: unknown option: "--tcp-servise" (did you mean --tcp-service?)',
    ],
    [
      'a long option with a value that it does not take',
      '-A -t 10.0.1.1:80 --ops=1',
      'r:1:19: --ops=1: option does not take an argument: "--ops=1" (write --ops alone)',
    ],
    [
      'a misspelt scheduler',
      '-A -t 10.0.1.1:80 -s wrrr',
      'r:1:22: Scheduler or persistence engine not found: "wrrr" (did you mean wrr?)',
    ],
    [
      'a weight that is none',
      '  -a -t 10.0.1.1:80 -r 10.0.2.1 -w=x',
      'r:1:36: illegal weight specified: "x" (use a number from 0 to 2147483647)',
    ],
    [
      'a name of a host',
      '-A -t www.example.com:80',
      'r:1:7: illegal virtual server address[:port] specified: "www.example.com:80" (write the address: names of hosts are not looked up)',
    ],
    [
      'a name of a port that is not known',
      '-A -t 10.0.1.1:htp',
      'r:1:7: illegal virtual server address[:port] specified: "10.0.1.1:htp" (use a port from 0 to 65535, or a name from /etc/services)',
    ],
    [
      'an IPv6 address without brackets',
      '-A -t 2001:db8:::80',
      'r:1:7: illegal virtual server address[:port] specified: "2001:db8:::80" (put an IPv6 address in brackets: [2001:db8::1]:80)',
    ],
    ['two commands', '-A -t 10.0.1.1:80 -D', 'r:1:19: invalid option `-D\': "-D" (write one command a line)'],
    ['no command', 't 10.0.1.1:80', 'r:1:1: the line does not begin with a command: "t" (such as -A, -a, -E or -C)'],
    ['a command that prints', '-L -n', 'r:1:1: the command changes nothing: "--list" (remove the line)'],
    [
      'the synchronisation daemon',
      '--start-daemon master --mcast-interface eth0',
      'r:1:1: the synchronisation daemon is not supported here: "--start-daemon" (remove the line)',
    ],
    ['a comment at the end', '-A -t 10.0.1.1:80 # web', 'r:1:19: unexpected argument #: "#" (remove it)'],
    [
      'a missing option',
      '-a -t 10.0.1.1:80',
      "r:1:1: You need to supply the 'real-server' option for the 'add-server' command: \"-a\" (add -r ADDRESS[:PORT])",
    ],
  ])('%s', (_name, line, message) => {
    expect(messagesOf(`${line}\n`)).toEqual([message]);
  });

  it('contradicts the lines before it', () => {
    const rules = [
      '-A -t 10.0.1.1:80',
      '-A -t 10.0.1.1:http',
      '-a -t 10.0.1.1:80 -r 10.0.2.1 -m',
      '-a -t 10.0.1.1:80 -r 10.0.2.1:80 -i',
      '-a -u 10.0.1.1:80 -r 10.0.2.1 -m',
      '-d -t 10.0.1.1:80 -r 10.0.2.2',
      '-D -f 7',
      '-a -t 10.0.1.1:80 -r 10.0.2.3 -m -x 5 -y 6',
      '-a -t 10.0.1.1:80 -r 224.0.0.1 -m',
    ].join('\n');
    expect(messagesOf(rules)).toEqual([
      'r:2:1: Service already exists: "tcp 10.0.1.1:80" (use -E to edit it)',
      'r:4:1: Destination already exists: "10.0.2.1:80" (use -e to edit it)',
      'r:5:1: Service not defined: "udp 10.0.1.1:80" (add it with -A first)',
      'r:6:1: No such destination: "10.0.2.2:80" (write address and port as they were added)',
      'r:7:1: No such service: "mark 7" (add it with -A first)',
      'r:8:1: Numerical result out of range: the lower threshold is above the upper: "10.0.2.3:80" (use at most 5 as -y, or a higher -x)',
      'r:9:1: Invalid operation: address not unicast: "224.0.0.1:80" (use the address of one host: not multicast, broadcast, zero or link-local)',
    ]);
  });
});

describe('a file of rules', () => {
  it('may have comments, blank lines, the name of the program and Windows line ends', () => {
    const text = '# web\r\n\r\n   \n\tipvsadm  -A -t\t10.0.1.1:80\r\n  # more\n-a -t 10.0.1.1:80 -r 10.0.2.1\v-m';
    expect(formatRules(readRules(text)).text).toBe(
      `${add.trimEnd()} -s wlc\n-a -t 10.0.1.1:80 -r 10.0.2.1:80 -m -w 1\n`,
    );
  });

  it('without anything is an empty table', () => {
    expect(readRules('').services).toEqual([]);
  });

  it('says what of a model it leaves out when it is written', () => {
    const { director } = { director: readRules(add) };
    const [service] = director.services;
    if (service === undefined) throw new Error('the service is missing');
    const more = { ...service, pool: 'local', clientAddress: 'toa', proxyProtocol: 'v2', synProxy: 'on' } as const;
    expect(formatRules({ ...director, services: [more] }).omitted).toEqual([
      'tcp 10.0.1.1:80: pool local',
      'tcp 10.0.1.1:80: client_address toa',
      'tcp 10.0.1.1:80: proxy_protocol v2',
      'tcp 10.0.1.1:80: syn_proxy on',
    ]);
  });
});
