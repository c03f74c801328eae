// SPDX-License-Identifier: Apache-2.0
// The Debian packages that the project needs, in groups by the work that needs them. Versions are those of Debian 12.
// clang-format is pinned to one version, because versions format differently.

export interface SystemPackage {
  /** The Debian package. */
  name: string;
  /** What it is for; shown when it is missing. */
  purpose: string;
  /** A command of the package, by which a system without dpkg is checked. Absent for headers and libraries. */
  command?: string;
}

export type Group =
  | 'build'
  | 'test'
  | 'check'
  | 'sanitize'
  | 'coverage'
  | 'fuzz'
  | 'bench'
  | 'path'
  | 'lab'
  | 'oracle'
  | 'package'
  | 'trial';

export const systemPackages: Record<Group, readonly SystemPackage[]> = {
  build: [
    { name: 'g++', purpose: 'compiles the native module', command: 'g++' },
    { name: 'make', purpose: 'runs the build that node-gyp writes', command: 'make' },
    { name: 'python3', purpose: 'runs node-gyp', command: 'python3' },
    { name: 'ccache', purpose: 'keeps compiled objects for later builds, in any clone', command: 'ccache' },
  ],
  test: [
    { name: 'cmake', purpose: 'builds the native unit tests', command: 'cmake' },
    { name: 'ninja-build', purpose: 'runs the builds that CMake writes', command: 'ninja' },
    { name: 'doctest-dev', purpose: 'the native unit tests are written with it' },
    { name: 'tcpdump', purpose: 'reads our captures, to compare with our own reader', command: 'tcpdump' },
    {
      name: 'tshark',
      purpose: 'dissects our packets and captures, to compare with our own parsers',
      command: 'tshark',
    },
    // The servers that health checks are tried on: these, and those of the lab.
    { name: 'redis-server', purpose: 'a server that health checks try', command: 'redis-server' },
    { name: 'libnginx-mod-mail', purpose: "nginx's module for SMTP, which health checks try" },
    { name: 'openssl', purpose: 'makes the certificates of servers that health checks try', command: 'openssl' },
    {
      name: 'prometheus',
      purpose: 'promtool, which judges the metrics and the expressions of dashboards',
      command: 'promtool',
    },
    { name: 'iputils-arping', purpose: 'asks whether a server answers ARP, for sluice doctor', command: 'arping' },
    { name: 'mandoc', purpose: 'judges the manual pages', command: 'mandoc' },
    { name: 'zsh', purpose: 'a shell that completes commands', command: 'zsh' },
    { name: 'python3-prometheus-client', purpose: 'the reference parser of OpenMetrics, which reads the metrics' },
  ],
  check: [
    {
      name: 'clang-format-14',
      purpose: 'format of the C++ sources, pinned to this version',
      command: 'clang-format-14',
    },
    { name: 'git', purpose: 'lists the files to check', command: 'git' },
    { name: 'clang-14', purpose: 'compiles the BPF programs, whose bytes are committed', command: 'clang-14' },
    { name: 'linux-libc-dev', purpose: 'headers of the kernel that the BPF programs include' },
  ],
  sanitize: [],
  coverage: [{ name: 'gcovr', purpose: 'counts which C++ lines the tests reach', command: 'gcovr' }],
  fuzz: [
    { name: 'clang-14', purpose: 'compiles the fuzz targets', command: 'clang++-14' },
    { name: 'libclang-rt-14-dev', purpose: 'libFuzzer and the sanitizers of clang' },
  ],
  bench: [
    { name: 'valgrind', purpose: 'counts instructions a packet (callgrind)', command: 'valgrind' },
    { name: 'cmake', purpose: 'builds the native benchmarks', command: 'cmake' },
  ],
  package: [
    {
      name: 'dpkg-dev',
      purpose: 'finds the packages of the libraries that a package needs',
      command: 'dpkg-shlibdeps',
    },
    { name: 'binutils', purpose: 'strip, which leaves symbols for debuggers out of the package', command: 'strip' },
  ],
  trial: [{ name: 'mmdebstrap', purpose: 'makes the Debian on which the package is tried', command: 'mmdebstrap' }],
  // Installed only for `npm run bench -- path`.
  path: [
    { name: 'haproxy', purpose: 'a proxy for TCP to compare with', command: 'haproxy' },
    { name: 'nginx', purpose: 'another proxy to compare with', command: 'nginx' },
    { name: 'libnginx-mod-stream', purpose: "nginx's module for TCP and UDP" },
    { name: 'util-linux', purpose: 'taskset, which binds programs to a CPU', command: 'taskset' },
  ],
  lab: [
    { name: 'iproute2', purpose: 'network namespaces and links', command: 'ip' },
    { name: 'nftables', purpose: 'a balancer to compare with', command: 'nft' },
    { name: 'ethtool', purpose: 'turns offloads off at links with faults', command: 'ethtool' },
    { name: 'tcpdump', purpose: 'captures the packets of each link', command: 'tcpdump' },
    { name: 'curl', purpose: 'the HTTP client of scenarios', command: 'curl' },
    { name: 'iperf3', purpose: 'measures TCP, UDP and SCTP', command: 'iperf3' },
    { name: 'iputils-ping', purpose: 'ping, as a client of scenarios', command: 'ping' },
    { name: 'bind9-dnsutils', purpose: 'dig, the DNS client of scenarios', command: 'dig' },
    {
      name: 'dnsmasq-base',
      purpose: 'the DNS server of scenarios; starts no service on the machine',
      command: 'dnsmasq',
    },
    // The lab runs these two in namespaces; setup.ts keeps the machine from starting them as services.
    { name: 'nginx', purpose: 'a server that reads the PROXY protocol', command: 'nginx' },
    { name: 'libnginx-mod-stream', purpose: "nginx's module for servers that speak first" },
    { name: 'haproxy', purpose: 'another server that reads the PROXY protocol', command: 'haproxy' },
    { name: 'tshark', purpose: 'dissects the PROXY headers that servers get', command: 'tshark' },
  ],
  oracle: [
    { name: 'qemu-system-x86', purpose: "runs Debian's kernel, which has IPVS", command: 'qemu-system-x86_64' },
    { name: 'busybox-static', purpose: 'the user space inside that machine', command: 'busybox' },
    { name: 'cpio', purpose: "packs that machine's file system", command: 'cpio' },
    { name: 'kmod', purpose: 'finds the kernel modules that IPVS needs', command: 'modprobe' },
    { name: 'ipvsadm', purpose: "configures the kernel's IPVS", command: 'ipvsadm' },
    { name: 'iproute2', purpose: 'the network inside that machine', command: 'ip' },
    { name: 'nftables', purpose: 'firewall marks inside that machine', command: 'nft' },
  ],
};

/** Groups that need the packages of other groups, too. */
const includes: Partial<Record<Group, readonly Group[]>> = {
  test: ['build', 'lab'],
  sanitize: ['test'],
  coverage: ['test'],
  fuzz: ['test'],
  bench: ['build'],
  path: ['bench', 'lab'],
  lab: ['build'],
  oracle: ['build'],
  package: ['build'],
};

/** The packages of some groups, each once. */
export function packagesOf(groups: readonly Group[]): SystemPackage[] {
  const byName = new Map<string, SystemPackage>();
  const add = (group: Group): void => {
    for (const included of includes[group] ?? []) add(included);
    for (const row of systemPackages[group]) byName.set(row.name, row);
  };
  for (const group of groups) add(group);
  return [...byName.values()];
}
