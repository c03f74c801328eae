// SPDX-License-Identifier: Apache-2.0
// Random scenarios from a seed: random services, servers, modes and schedulers, then valid and malformed packets, with
// changes of the rules between them. The same seed and index give the same text on any machine. The text is an ordinary
// scenario: one that finds a difference can be kept as it is.
//
// A generated scenario has only one correct outcome. It uses no drop_entry, whose victims are random. It has at most one
// long wait, at whose end no entry is so close to expiry that the kernel's coarse timers matter. It avoids two defects of
// kernels before 6.1.192, which Debian also offers; recorded scenarios have what later kernels do:
// - a threshold that is lowered to the number of flows lets one more flow in (thresholds/edited);
// - an ICMPv6 error from a real server is dropped, as its checksum is taken without the pseudo-header
//   (ipv6/icmp-from-server).

import { Random } from '../random.ts';

type Protocol = 'tcp' | 'udp' | 'sctp';

interface Server {
  readonly host: string; // without brackets
  readonly port: number;
  readonly mode: string; // ipvsadm's option and what follows
  readonly threshold: string; // the option of the upper threshold, or nothing
  weight: number;
}

interface Service {
  readonly protocol: Protocol;
  readonly v6: boolean;
  readonly vip: string;
  readonly port: number;
  readonly marked: number | undefined;
  readonly servers: Server[];
  readonly modes: Map<string, string>; // of every server that it has or had, by host
}

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'dh', 'mh', 'lblc', 'lblcr', 'fo', 'ovf'] as const;
const serverNumbers = [11, 12, 13, 14, 15] as const;
const clientNumbers = [2, 3, 4, 5] as const;
const tunnels = [
  '-i',
  '-i --tun-type gue --tun-port 6080',
  '-i --tun-type gre',
  '-i --tun-type gre --tun-csum',
] as const;

const flagChoices = [
  ...['S', 'S', 'S', 'A', 'A', 'A', 'PA', 'FA', 'FA', 'R', 'RA', 'SA'],
  ...['F', 'none', 'SEC', 'FPU'],
] as const;
const chunkChoices = [
  ...['INIT vtag 0', 'INIT vtag 0', 'INIT_ACK', 'COOKIE_ECHO', 'COOKIE_ECHO DATA', 'COOKIE_ACK', 'DATA', 'SACK'],
  ...['SHUTDOWN', 'SHUTDOWN_ACK', 'SHUTDOWN_COMPLETE', 'ABORT', 'ERROR', 'HEARTBEAT', 'COOKIE_ECHO ABORT'],
] as const;

const serviceOption: Record<Protocol, string> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

function endpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

class Generator {
  readonly #random: Random;
  readonly #topologyLines: string[] = []; // stand before the first step
  readonly #lines: string[] = [];
  readonly #services: Service[] = [];
  #persistent = false;
  #hashesDestination = false;

  constructor(random: Random) {
    this.#random = random;
  }

  generate(title: string): string {
    this.#topology();
    const count = this.#random.chance(0.3) ? 2 : 1;
    const marks = Array.from({ length: count }, () => this.#random.chance(0.12));
    for (const [index, marked] of marks.entries()) this.#service(index, marked);
    const steps = this.#random.from(8, 30);
    for (let i = 0; i < steps; i++) this.#step();
    this.#finish();
    return `${[`# ${title}`, '', ...this.#topologyLines, ...this.#lines].join('\n')}\n`;
  }

  #say(line: string): void {
    this.#lines.push(line);
  }

  #topology(): void {
    const random = this.#random;
    const sysctl = (name: string, value: number, probability: number) => {
      if (random.chance(probability)) this.#topologyLines.push(`sysctl net.ipv4.vs.${name} ${value}`);
    };
    sysctl('conn_reuse_mode', random.below(3), 0.4);
    sysctl('expire_nodest_conn', 1, 0.4);
    sysctl('expire_quiescent_template', 1, 0.3);
    sysctl('sloppy_tcp', 1, 0.2);
    sysctl('sloppy_sctp', 1, 0.2);
    sysctl('nat_icmp_send', 1, 0.1);
  }

  #mode(v6: boolean): string {
    const random = this.#random;
    if (random.chance(0.5)) return '-m';
    if (random.chance(0.5)) return '-g';
    return v6 ? random.pick(['-i', '-i --tun-type gre']) : random.pick(tunnels);
  }

  #service(index: number, marked: boolean): void {
    const random = this.#random;
    const v6 = random.chance(0.25);
    const protocol = marked ? 'tcp' : random.pick<Protocol>(['tcp', 'tcp', 'tcp', 'udp', 'udp', 'sctp']);
    const vip = v6 ? `fd00:1::${100 + index}` : `10.0.1.${100 + index}`;
    const port = marked ? 8001 + index : random.pick([80, 53, 443]);
    const service: Service = {
      protocol,
      v6,
      vip,
      port,
      marked: marked ? index + 1 : undefined,
      servers: [],
      modes: new Map(),
    };
    this.#services.push(service);
    if (marked) this.#topologyLines.push(`fwmark ${index + 1} tcp ${vip} ${port}`);
    const options: string[] = [`-s ${this.#scheduler()}`];
    if (random.chance(0.2)) {
      this.#persistent = true;
      options.push(`-p 60${random.chance(0.3) ? ` -M ${v6 ? '64' : '255.255.255.0'}` : ''}`);
    }
    if (protocol === 'udp' && random.chance(0.15)) options.push('-o');
    this.#say(`ipvsadm -A ${this.#name(service)} ${options.join(' ')}`);
    const count = random.from(1, 4);
    const mode = this.#mode(v6);
    for (let i = 0; i < count; i++) this.#addServer(service, random.chance(0.7) ? mode : this.#mode(v6));
  }

  #scheduler(): string {
    const random = this.#random;
    const name = random.pick(schedulers);
    if (name === 'dh' || name === 'lblc' || name === 'lblcr') this.#hashesDestination = true;
    if (name !== 'sh' && name !== 'mh') return name;
    const flags = [`${name}-port`, `${name}-fallback`].filter(() => random.chance(0.4));
    return flags.length > 0 ? `${name} -b ${flags.join(',')}` : name;
  }

  #name(service: Service): string {
    if (service.marked !== undefined) return `-f ${service.marked}${service.v6 ? ' -6' : ''}`;
    return `${serviceOption[service.protocol]} ${endpoint(service.vip, service.port)}`;
  }

  #weight(): number {
    return this.#random.pick([1, 1, 1, 2, 3, 4, 0]);
  }

  #threshold(): string {
    const random = this.#random;
    return random.chance(0.1) ? ` -x ${random.from(2, 4)}` : '';
  }

  #serverOptions({ host, port, mode, weight, threshold }: Server): string {
    return `-r ${endpoint(host, port)} ${mode} -w ${weight}${threshold}`;
  }

  // A server that returns keeps its mode. The kernel keeps one route for each server: a flow of the mode before would take
  // a route of the new mode, and ask for the link-layer address of the virtual address.
  #addServer(service: Service, newMode: string): void {
    const random = this.#random;
    const number = random.pick(serverNumbers);
    const host = service.v6 ? `fd00:2::${number}` : `10.0.2.${number}`;
    if (service.servers.some(server => server.host === host)) return;
    const mode = service.modes.get(host) ?? newMode;
    service.modes.set(host, mode);
    const isOther = mode === '-m' && random.chance(0.3);
    const port = service.marked !== undefined && !isOther ? 0 : isOther ? 8080 : service.port;
    const server: Server = { host, port, mode, weight: this.#weight(), threshold: this.#threshold() };
    service.servers.push(server);
    this.#say(`ipvsadm -a ${this.#name(service)} ${this.#serverOptions(server)}`);
  }

  #step(): void {
    const random = this.#random;
    const service = random.pick(this.#services);
    const dice = random.next();
    if (dice < 0.62) this.#clientPacket(service);
    else if (dice < 0.8) this.#serverPackets(service);
    else if (dice < 0.88) this.#change(service);
    else if (dice < 0.94) this.#icmp(service);
    else this.#say(random.pick(['show services', 'show connections']));
  }

  #client(service: Service): string {
    const number = this.#random.pick(clientNumbers);
    return endpoint(service.v6 ? `fd00:1::${number}` : `10.0.1.${number}`, 1024 + this.#random.below(3));
  }

  #tcpFlags(): string {
    return this.#random.pick(flagChoices);
  }

  #chunks(): string {
    return this.#random.pick(chunkChoices);
  }

  #segment(protocol: Protocol, source: string, destination: string): string {
    const random = this.#random;
    const head = `${protocol} ${source} ${destination}`;
    switch (protocol) {
      case 'tcp':
        return `${head} ${this.#tcpFlags()} seq ${random.below(10000)} ack ${random.below(10000)}${this.#payload()}`;
      case 'udp':
        return `${head}${this.#payload() || ' len 4'}${random.chance(0.1) ? ' nosum' : ''}`;
      case 'sctp':
        return `${head} ${this.#chunks()}`;
    }
  }

  #payload(): string {
    if (!this.#random.chance(0.3)) return '';
    return ` len ${this.#random.pick([1, 7, 100, 1000, 1360, 1390, 1420, 1440])}`;
  }

  #ipOptions(v6: boolean, ttls: readonly number[]): string {
    const random = this.#random;
    const options: string[] = [];
    if (random.chance(0.1)) options.push(`ttl ${random.pick(ttls)}`);
    if (random.chance(0.1)) options.push(`tos ${random.below(256)}`);
    if (random.chance(0.05)) options.push('badsum');
    if (!v6 && random.chance(0.3)) options.push('df');
    if (!v6 && random.chance(0.2)) options.push(`id ${random.below(65536)}`);
    if (!v6 && random.chance(0.03)) options.push('ipopt 01010101');
    if (v6 && random.chance(0.1)) options.push(`flow ${random.below(0x100000)}`);
    return options.map(option => ` ${option}`).join('');
  }

  #clientPacket(service: Service): void {
    const segment = this.#segment(service.protocol, this.#client(service), endpoint(service.vip, service.port));
    this.#say(`c0 > ${segment}${this.#ipOptions(service.v6, [1, 2, 17, 255])}`);
  }

  // From every NAT server, as only the scheduler knows which of them has the connection. The host routes the packets of the
  // others. No TTL is 1, since the host would answer those with an error.
  #serverPackets(service: Service): void {
    const client = this.#client(service);
    for (const server of service.servers.filter(({ mode }) => mode === '-m')) {
      const source = endpoint(server.host, server.port || service.port);
      this.#say(`s0 > ${this.#segment(service.protocol, source, client)}${this.#ipOptions(service.v6, [2, 17, 255])}`);
    }
  }

  #change(service: Service): void {
    const random = this.#random;
    const server = service.servers[random.below(Math.max(1, service.servers.length))];
    const dice = random.next();
    if (dice < 0.35 || !server) {
      this.#addServer(service, this.#mode(service.v6));
    } else if (dice < 0.75) {
      // An edit without a change restarts the round of wrr in the kernel, but not in the director (docs/decisions/0008-*).
      const before = server.weight;
      while (server.weight === before) server.weight = this.#weight();
      this.#say(`ipvsadm -e ${this.#name(service)} ${this.#serverOptions(server)}`);
    } else {
      service.servers.splice(service.servers.indexOf(server), 1);
      this.#say(`ipvsadm -d ${this.#name(service)} -r ${endpoint(server.host, server.port)}`);
    }
  }

  #icmp(service: Service): void {
    const random = this.#random;
    const about = (source: string, destination: string) =>
      `about (${this.#segment(service.protocol, source, destination)} ttl 60) keep 100`;
    const what = service.v6
      ? random.pick(['unreachable port', 'unreachable host', 'time-exceeded', 'too-big mtu 1280'])
      : random.pick(['unreachable port', 'unreachable host', 'unreachable frag mtu 1200', 'time-exceeded']);
    const client = this.#client(service);
    const host = client.replace(/^\[?([^\]]+?)\]?:\d+$/, '$1');
    const server = service.v6 ? undefined : service.servers.find(({ mode }) => mode === '-m');
    if (server && random.chance(0.5)) {
      const real = endpoint(server.host, server.port || service.port);
      this.#say(`s0 > icmp ${server.host} ${host} ${what} ${about(client, real)}`);
    } else {
      this.#say(`c0 > icmp ${host} ${service.vip} ${what} ${about(endpoint(service.vip, service.port), client)}`);
    }
  }

  #finish(): void {
    const random = this.#random;
    // When an ICMP error creates a flow, dh, lblc and lblcr hash the client instead of the destination
    // (docs/decisions/0008-*).
    if (random.chance(0.3) && !this.#hashesDestination) {
      this.#topologyLines.push('sysctl net.ipv4.vs.schedule_icmp 1');
    }
    this.#say('show connections');
    this.#say('show services');
    // No wait with persistence: a template is renewed and its connections end at the same time, 60 s.
    if (this.#persistent || !random.chance(0.15)) return;
    this.#say(`wait ${random.pick([20, 140, 1200])}`);
    this.#say('show connections');
    this.#say('show services');
  }
}

export function generateScenario(seed: number, index: number): string {
  // Close seeds and indices must not give close states.
  const state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  return new Generator(new Random(state)).generate(`Random scenario ${index} of seed ${seed}.`);
}
