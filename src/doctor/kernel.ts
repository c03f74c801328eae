// SPDX-License-Identifier: Apache-2.0
// The kernel: what it has, and what of it does the same work as Sluice.
import type { Look } from './finding.ts';
import { readNumber } from './host.ts';

/** BPF at the ingress of devices, beside other programs there (tcx). */
const tcxRelease = [6, 6] as const;

export const lookAtKernel: Look = (host, { stealing }) => {
  const release = host.read('/proc/sys/kernel/osrelease') ?? 'unknown';
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const about = 'kernel';
  if (stealing === 'nftables') {
    const found = `${release}; stealing is nftables, which goes with one worker and costs the host's stack a look at each packet`;
    return [
      { about, verdict: 'advice', found, remedy: 'leave out director.stealing: BPF is used where the kernel has it' },
    ];
  }
  const hasTcx = major > tcxRelease[0] || (major === tcxRelease[0] && minor >= tcxRelease[1]);
  if (hasTcx) return [{ about, verdict: 'good', found: `${release} has all that Sluice can use` }];
  const found = `${release} has no tcx (6.6 and newer): Sluice uses clsact, which another program on the device can replace`;
  return [
    { about, verdict: 'advice', found, remedy: 'do not let other programs change the qdisc clsact of these devices' },
  ];
};

/** The kernel's own IPVS takes packets of its services that Sluice leaves to the host. */
export const lookAtIpvs: Look = host => {
  const about = 'IPVS of the kernel';
  const table = host.read('/proc/net/ip_vs');
  if (table === undefined) return [{ about, verdict: 'good', found: 'not loaded' }];
  const services = table.split('\n').filter(line => /^(TCP|UDP|SCTP|FWM)\b/.test(line)).length;
  if (services === 0) return [{ about, verdict: 'good', found: 'loaded, and has no service' }];
  return [
    {
      about,
      verdict: 'problem',
      found: `has ${services} services of its own: they take the packets that Sluice leaves to the host`,
      remedy:
        "sluice import ipvsadm carries them over; then clear the kernel's table with the ipvsadm of the kernel: ipvsadm -C",
    },
  ];
};

/** The share of the table from which new connections are soon refused. */
const nearlyFull = 0.8;

export const lookAtConntrack: Look = (host, { stealing }) => {
  const about = 'conntrack';
  const count = readNumber(host, '/proc/sys/net/netfilter/nf_conntrack_count');
  const most = readNumber(host, '/proc/sys/net/netfilter/nf_conntrack_max');
  if (count === undefined || most === undefined) return [{ about, verdict: 'good', found: 'not loaded' }];
  const found = `${count} of ${most} connections`;
  if (count >= most * nearlyFull) {
    const remedy = `sysctl net.netfilter.nf_conntrack_max=${most * 2}, or let nftables leave out what needs no tracking (notrack)`;
    return [{ about, verdict: 'problem', found: `${found}: the host is about to drop packets of new ones`, remedy }];
  }
  const sees = stealing === 'nftables' ? '' : '; packets of services do not pass it';
  return [{ about, verdict: 'good', found: `${found}${sees}` }];
};

export const lookAtTime: Look = host => {
  const about = 'time';
  const answer = host.run('timedatectl', ['show', '--property=NTPSynchronized', '--value'])?.trim();
  if (answer === undefined) {
    return [{ about, verdict: 'unknown', found: 'timedatectl does not say whether the clock is synchronised' }];
  }
  if (answer === 'yes') return [{ about, verdict: 'good', found: 'the clock is synchronised' }];
  return [
    {
      about,
      verdict: 'advice',
      found: 'the clock is not synchronised: logs, the history and captures of several hosts do not fit together',
      remedy: 'install and start a time service, such as chrony or systemd-timesyncd',
    },
  ];
};

export const lookAtCpus: Look = host => {
  const about = 'CPUs';
  const cpus = host.list('/sys/devices/system/cpu').filter(name => /^cpu\d+$/.test(name));
  const governors = cpus.flatMap(cpu => host.read(`/sys/devices/system/cpu/${cpu}/cpufreq/scaling_governor`) ?? []);
  const slow = governors.filter(governor => governor === 'powersave' || governor === 'conservative').length;
  const kinds = [...new Set(governors)].join(', ');
  if (governors.length === 0) {
    return [{ about, verdict: 'good', found: `${cpus.length}; this host does not choose their speed` }];
  }
  if (slow === 0) return [{ about, verdict: 'good', found: `${cpus.length}, governor ${kinds}` }];
  const found = `${slow} of ${cpus.length} may run slower than they can (governor ${kinds})`;
  return [{ about, verdict: 'advice', found, remedy: 'cpupower frequency-set -g performance' }];
};
