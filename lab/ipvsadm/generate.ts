// SPDX-License-Identifier: Apache-2.0
// Random sequences of ipvsadm's commands from a seed: valid, nearly valid and wrong ones, about few services and servers, so
// that they meet. The same seed and index give the same sequence on any machine.
//
// A sequence has one correct outcome: it looks up no name outside of /etc/hosts, uses no scheduler that only one side has
// (twos, which Debian's kernel lacks, and Sluice's own ones), and starts no synchronisation daemon, which Sluice lacks.
import { Random } from '../random.ts';
import type { Invocation, Sequence } from './sequence.ts';

const schedulers = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'sed',
  'nq',
  'sh',
  'dh',
  'mh',
  'lblc',
  'lblcr',
  'fo',
  'ovf',
  'none',
] as const;
const wrongSchedulers = ['', 'RR', 'nosuch', 'abcdefghijklmnopqrstuvwxyz', 'wlcx'] as const;
const flags = ['sh-fallback', 'sh-port', 'mh-fallback', 'mh-port', 'flag-1', 'flag-2', 'flag-3', 'bogus', ''] as const;

// Far apart: differences of 32 bits wrap. Servers are sorted so, from the latest to the first. The kernel lists services in an
// order of its own at each boot, so those of a sequence are of one half of the numbers and have one order.
const hosts4 = ['10.0.1.1', '10.0.1.2', '10.9.0.1', '77.1.2.3', '100.64.0.1', '140.0.0.1', '192.168.3.4', '200.1.1.1'];
const hosts6 = ['fd00::1', 'fd00::2', '2001:db8::1', '2001:db8:1:2:3:4:5:6', '9000::1', '::9'];
const oddHosts4 = [
  ...['0.0.0.0', '224.0.0.1', '239.1.2.3', '255.255.255.255', '127.0.0.1', '127.255.255.255', '0.0.0.1', '240.0.0.1'],
  ...['10.1', '0x0a000102', '012.0.1.1', '1', '167772417', '10.0.1.256', '10.0.1', '10.0.1.1.1', '10.0.1.', '08.0.0.1'],
  ...[
    'localhost',
    'web1',
    'www.example.com',
    'WEB1',
    'nosuch',
    'web6',
    '10.0.1.1x',
    '',
    ' 10.0.1.1',
    '10.0.1.1 x',
    '*',
  ],
];
const oddHosts6 = [
  ...['::', '::1', 'ff02::1', 'fe80::1', '::ffff:10.0.1.1', '::10.0.1.1', 'fec0::1', '::ffff:0:0', '64:ff9b::a00:101'],
  ...[
    '2001:db8::1::2',
    'fd00::1%lo',
    'FD00::1',
    'fd00:0:0::1',
    'fd00::g',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8',
    '1:0:0:2::',
  ],
];
const ports = ['80', '443', '53', '8080', '5060', '0', '65535'];
const oddPorts = [
  'http',
  'domain',
  'ntp',
  'HTTP',
  'nosuch',
  '',
  '65536',
  '-1',
  '+80',
  ' 80',
  '080',
  '0x50',
  '80x',
  '4294967376',
];
const numbers = ['0', '1', '2', '5', '60', '100', '300', '1000', '65535', '65536', '2147483647'];
const oddNumbers = [
  ...['-1', '+5', ' 7', '5 ', '', 'abc', '1x', '0x10', '010', '2147483648', '4294967295', '4294967296', '4294967297'],
  ...[
    '99999999999999999999',
    '-4294967295',
    '1e3',
    '2678400',
    '2678401',
    '1.5',
    '9223372036854775807',
    '9223372036854775808',
  ],
];
const lowMarks = ['1', '2', '7', '100', '2147483647'];
const highMarks = ['1', '2', '7', '4294967295', '4294967290', '3000000000'];
const masks4 = [
  '255.255.255.0',
  '255.255.255.255',
  '255.0.0.0',
  '0.0.0.0',
  '255.0.255.0',
  '0xffffff00',
  '24',
  '300.1.1.1',
  'x',
];
const masks6 = ['64', '128', '1', '0', '129', '64x', 'ffff::', ' 64', '-1', ''];
const listOptions = [
  ...[
    '-n',
    '-n',
    '-n',
    '--numeric',
    '--stats',
    '--rate',
    '--exact',
    '-X',
    '--thresholds',
    '--persistent-conn',
    '--nosort',
  ],
  ...['--sort', '--timeout', '--daemon', '-c', '--connection', '--tun-info'],
];
const strayOptions = [
  ...[
    '-m',
    '-n',
    '-o',
    '-c',
    '-6',
    '--stats',
    '--timeout',
    '--daemon',
    '--exact',
    '--nosort',
    '--sort',
    '--rate',
    '-L',
    '-A',
  ],
  ...[
    '-C',
    '-z',
    '--bogus',
    '--bogus=1',
    '--nume',
    '--numeric=1',
    'stray',
    '-',
    '--',
    '',
    '-w',
    '--tun-csum',
    '-Q',
    '-nQ',
    '--help',
    '-h',
    '-v',
  ],
  ...[
    '--tcp-servic',
    '--=',
    '---n',
    '--n',
    '-p',
    '-w 3',
    '--weight=',
    '-?',
    '--pe',
    '-s=',
    '--sched-flags=',
    '-6=1',
    '-n=1',
  ],
];

interface Site {
  /** The option and its value: `-t 10.0.1.1:80`, `-f 7 -6`. */
  readonly words: readonly string[];
  readonly v6: boolean;
  readonly port: string;
}

class Generator {
  readonly #random: Random;
  readonly #services: Site[] = [];
  readonly #servers: { readonly text: string; readonly v6: boolean }[] = [];
  #isHigh = false;
  /** The service of the command that is being made. */
  #site: Site | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  generate(): Sequence {
    const random = this.#random;
    this.#isHigh = random.chance(0.4);
    const v6 = random.next() * 0.7;
    const services = random.from(1, 5);
    for (let i = 0; i < services; i++) this.#services.push(this.#service(random.chance(v6)));
    const servers = random.from(2, 7);
    for (let i = 0; i < servers; i++) {
      const six = random.chance(v6);
      this.#servers.push({ text: this.#server(six), v6: six });
    }
    const commands: Invocation[] = [];
    for (const site of this.#services) {
      if (!random.chance(0.75)) continue;
      const settings = [['-p'], ...(random.chance(0.5) ? this.#settings() : [])];
      commands.push({ words: ['-A', ...site.words, ...(site.port === '0' ? settings : settings.slice(1)).flat()] });
    }
    for (let count = random.from(8, 16); count > 0; count--) commands.push(this.#command());
    commands.push(
      { words: ['-S', '-n'] },
      { words: ['-L', '-n'] },
      { words: ['-L', '-n', '--nosort', '--thresholds'] },
    );
    return commands;
  }

  #service(v6: boolean): Site {
    const random = this.#random;
    if (random.chance(0.2)) {
      const mark = random.pick(this.#isHigh ? highMarks : lowMarks);
      return {
        words: [this.#option('-f', '--fwmark-service'), mark, ...(v6 ? [random.pick(['-6', '--ipv6'])] : [])],
        v6,
        port: '0',
      };
    }
    const option = random.pick(['-t', '-t', '-t', '--tcp-service', '-u', '-u', '--udp-service', '--sctp-service']);
    const port = random.pick(ports);
    for (;;) {
      const text = this.#endpoint(v6, port);
      if (isHigh(text) === this.#isHigh) return { words: [option, text], v6, port };
    }
  }

  #server(v6: boolean): string {
    return this.#endpoint(v6, this.#random.chance(0.3) ? undefined : this.#random.pick(ports));
  }

  #endpoint(v6: boolean, port: string | undefined): string {
    const random = this.#random;
    const host = v6
      ? random.chance(0.15)
        ? random.pick(oddHosts6)
        : random.pick(hosts6)
      : random.chance(0.12)
        ? random.pick(oddHosts4)
        : random.pick(hosts4);
    const end = port !== undefined && random.chance(0.06) ? random.pick(oddPorts) : port;
    const isBracketed = v6 !== random.chance(0.03);
    if (end === undefined) return random.chance(0.05) ? `[${host}]` : host;
    return isBracketed ? `[${host}]:${end}` : `${host}:${end}`;
  }

  #option(short: string, long: string): string {
    return this.#random.chance(0.85) ? short : long;
  }

  #number(): string {
    return this.#random.chance(0.12) ? this.#random.pick(oddNumbers) : this.#random.pick(numbers);
  }

  #command(): Invocation {
    const random = this.#random;
    if (random.chance(0.05)) return this.#restore();
    return { words: this.#words() };
  }

  #restore(): Invocation {
    const random = this.#random;
    const lines: string[] = [];
    for (let count = random.from(0, 7); count > 0; count--) {
      const shape = random.next();
      if (shape < 0.06)
        lines.push(random.pick(['', '   ', '# a comment', 'ipvsadm', '\t', '-', 'ipvsadm ipvsadm -C', '-A']));
      else {
        const line = this.#words().join(random.chance(0.9) ? ' ' : random.pick(['\t', '  ']));
        lines.push(`${random.chance(0.3) ? 'ipvsadm ' : ''}${line}${random.chance(0.03) ? '\r' : ''}`);
      }
    }
    const more = random.chance(0.08) ? [random.pick(strayOptions)] : [];
    const end = random.chance(0.9) ? '\n' : '';
    return {
      words: [random.pick(['-R', '-R', '--restore']), ...more],
      input: lines.length === 0 ? '' : lines.join('\n') + end,
    };
  }

  #words(): string[] {
    const kind = this.#random.next();
    const words = this.#chosen(kind);
    return this.#mangled(words);
  }

  #chosen(kind: number): string[] {
    const random = this.#random;
    if (kind < 0.2)
      return this.#put(this.#option('-A', '--add-service'), [...this.#serviceWords(), ...this.#settings()]);
    if (kind < 0.27)
      return this.#put(this.#option('-E', '--edit-service'), [...this.#serviceWords(), ...this.#settings()]);
    if (kind < 0.31) return this.#put(this.#option('-D', '--delete-service'), this.#serviceWords());
    if (kind < 0.56)
      return this.#put(this.#option('-a', '--add-server'), [...this.#serviceWords(), ...this.#serverWords(true)]);
    if (kind < 0.65)
      return this.#put(this.#option('-e', '--edit-server'), [...this.#serviceWords(), ...this.#serverWords(true)]);
    if (kind < 0.7)
      return this.#put(this.#option('-d', '--delete-server'), [...this.#serviceWords(), ...this.#serverWords(false)]);
    if (kind < 0.88) return this.#list();
    if (kind < 0.91) return this.#put(this.#option('-S', '--save'), random.chance(0.7) ? [['-n']] : []);
    if (kind < 0.94) return this.#put(this.#option('-Z', '--zero'), random.chance(0.5) ? this.#serviceWords() : []);
    if (kind < 0.96)
      return ['--set', ...Array.from({ length: random.chance(0.9) ? 3 : random.from(0, 5) }, () => this.#number())];
    if (kind < 0.98) return this.#daemon();
    if (kind < 0.985) return [this.#option('-C', '--clear')];
    return [random.pick([...strayOptions])];
  }

  /** The command before its options, which stand in any order now and then. */
  #put(command: string, options: readonly (readonly string[])[]): string[] {
    const random = this.#random;
    const parts = [...options];
    if (random.chance(0.15)) {
      for (let at = parts.length - 1; at > 0; at--) {
        const other = random.below(at + 1);
        [parts[at], parts[other]] = [parts[other] ?? [], parts[at] ?? []];
      }
    }
    const words = parts.flatMap(part => this.#spelled(part));
    if (random.chance(0.1) && /^-[A-Za-z]$/.test(command) && /^-[a-zA-Z]/.test(words[0] ?? '')) {
      // -At 10.0.1.1:80
      return [command + (words[0] ?? '').slice(1), ...words.slice(1)];
    }
    return random.chance(0.01) ? [...words, command] : [command, ...words];
  }

  /** `-t X` as such, as `-tX`, `-t=X` or `--tcp-service=X`. */
  #spelled(part: readonly string[]): string[] {
    const random = this.#random;
    const [option = '', value, ...others] = part;
    if (value === undefined || random.chance(0.85)) return [...part];
    const isShort = /^-[a-zA-Z]$/.test(option);
    if (!isShort) return [`${option}=${value}`, ...others];
    return [random.chance(0.5) ? option + value : `${option}=${value}`, ...others];
  }

  #serviceWords(): string[][] {
    const random = this.#random;
    if (random.chance(0.015)) return [];
    const site = random.chance(0.04) ? this.#service(random.chance(0.3)) : random.pick(this.#services);
    this.#site = site;
    const [option = '', value = '', six] = site.words;
    const number = random.chance(0.03) && option.startsWith('-f') ? random.pick(oddNumbers) : value;
    const words = [[option, number]];
    if (six !== undefined) words.push([six]);
    return words;
  }

  #settings(): string[][] {
    const random = this.#random;
    const parts: string[][] = [];
    if (random.chance(0.6)) {
      const name = random.chance(0.05) ? random.pick(wrongSchedulers) : random.pick(schedulers);
      parts.push([this.#option('-s', '--scheduler'), name]);
    }
    if (random.chance(0.4))
      parts.push([this.#option('-p', '--persistent'), ...(random.chance(0.6) ? [this.#number()] : [])]);
    if (random.chance(0.2)) {
      parts.push([this.#option('-M', '--netmask'), random.pick(random.chance(0.6) ? masks4 : masks6)]);
    }
    if (random.chance(0.1)) parts.push([this.#option('-o', '--ops')]);
    if (random.chance(0.15)) {
      const names = Array.from({ length: random.from(1, 3) }, () => random.pick(flags));
      // ipvsadm crashes where there are only commas.
      const given = names.some(name => name !== '') ? names.join(',') : 'bogus';
      parts.push([this.#option('-b', '--sched-flags'), given]);
    }
    if (random.chance(0.1))
      parts.push(['--pe', random.pick(['sip', 'sip', 'sip', '', 'nosuch', 'SIP', 'abcdefghijklmnopqrstuvwxyz'])]);
    return parts;
  }

  #serverWords(withSettings: boolean): string[][] {
    const random = this.#random;
    const parts: string[][] = [];
    const alike = this.#servers.filter(({ v6 }) => v6 === this.#site?.v6);
    const known = random.pick(alike.length === 0 || random.chance(0.15) ? this.#servers : alike);
    const server = random.chance(0.05) ? this.#server(random.chance(0.4)) : known.text;
    if (!random.chance(0.01)) parts.push([this.#option('-r', '--real-server'), server]);
    if (!withSettings && !random.chance(0.05)) return parts;
    if (random.chance(0.75))
      parts.push([random.pick(['-m', '-m', '-i', '-i', '-g', '--masquerading', '--ipip', '--gatewaying'])]);
    if (random.chance(0.4)) parts.push([this.#option('-w', '--weight'), this.#number()]);
    if (random.chance(0.2)) parts.push([this.#option('-x', '--u-threshold'), this.#number()]);
    if (random.chance(0.15)) parts.push([this.#option('-y', '--l-threshold'), this.#number()]);
    if (random.chance(0.25)) {
      const type = random.chance(0.05)
        ? random.pick(['', 'GUE', 'vxlan', 'guex'])
        : random.pick(['ipip', 'gue', 'gue', 'gre']);
      parts.push(['--tun-type', type]);
      if (random.chance(type === 'gue' ? 0.9 : 0.1))
        parts.push(['--tun-port', random.chance(0.8) ? '6080' : this.#number()]);
      for (const option of ['--tun-nocsum', '--tun-csum', '--tun-remcsum'])
        if (random.chance(0.15)) parts.push([option]);
    }
    return parts;
  }

  #list(): string[] {
    const random = this.#random;
    const options = Array.from({ length: random.below(4) }, () => [random.pick(listOptions)]);
    if (random.chance(0.6)) options.push(['-n']);
    if (random.chance(0.25)) options.push(...this.#serviceWords());
    return this.#put(random.pick(['-L', '-L', '-l', '--list']), options);
  }

  #daemon(): string[] {
    const random = this.#random;
    const state = random.pick(['master', 'backup', 'master', 'backup', 'MASTER', '']);
    const parts: string[][] = [];
    if (random.chance(0.4))
      parts.push(['--mcast-interface', random.pick(['eth9', 'no-such-device-of-a-long-name', ''])]);
    if (random.chance(0.4)) parts.push(['--syncid', this.#number()]);
    if (random.chance(0.2)) parts.push(['--sync-maxlen', this.#number()]);
    if (random.chance(0.2))
      parts.push(['--mcast-group', random.pick(['224.0.0.82', 'ff02::1', '10.0.0.1', 'x', '0.0.0.0'])]);
    if (random.chance(0.2)) parts.push(['--mcast-port', this.#number()]);
    if (random.chance(0.2)) parts.push(['--mcast-ttl', this.#number()]);
    const command = random.pick(['--start-daemon', '--stop-daemon']);
    return [...this.#spelled([command, state]), ...this.#put('', parts).filter((word, at) => at > 0 || word !== '')];
  }

  /** With a mistake now and then. */
  #mangled(words: readonly string[]): string[] {
    const random = this.#random;
    if (!random.chance(0.07)) return [...words];
    const at = random.below(words.length + 1);
    const before = words.slice(0, at);
    const after = words.slice(at);
    switch (random.below(4)) {
      case 0:
        return [...before, random.pick(strayOptions), ...after];
      case 1:
        return [...before, ...after.slice(1)];
      case 2:
        return [...words, ...words.slice(1)];
      default:
        return [...before, ...after.slice(0, 1), ...after];
    }
  }
}

/** Whether the first word of the address is in the upper half; what cannot be told is of neither. */
function isHigh(text: string): boolean {
  const word = /^\[?([0-9a-f]*):/i.exec(text)?.[1];
  if (word !== undefined && text.indexOf(':') !== text.lastIndexOf(':'))
    return Number.parseInt(word || '0', 16) >= 0x8000;
  return Number.parseInt(text.replace('[', ''), 10) >= 128;
}

export function generateSequence(seed: number, index: number): Sequence {
  // Close seeds and indices must not give close states.
  const state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  return new Generator(new Random(state)).generate();
}
