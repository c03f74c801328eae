// SPDX-License-Identifier: Apache-2.0
// The network devices that packets are forwarded between.
import type { Finding, Look } from './finding.ts';
import type { Host } from './host.ts';
import { linkOf } from './link.ts';

export const lookAtDevices: Look = (host, { devices, lostFrames }) =>
  devices.flatMap(device => lookAtDevice(host, device, lostFrames.get(device) ?? 0));

function lookAtDevice(host: Host, device: string, lostFrames: number): Finding[] {
  const about = `device ${device}`;
  const link = linkOf(host, device);
  if (link === undefined) {
    return [{ about, verdict: 'problem', found: 'there is no such device', remedy: 'ip link shows the devices' }];
  }
  const { flags, mtu, stats64 } = link;
  if (!flags.includes('UP')) {
    return [{ about, verdict: 'problem', found: 'is down', remedy: `ip link set ${device} up` }];
  }
  if (flags.includes('NO-CARRIER')) {
    const remedy = 'look at the cable, or at the other end of the link';
    return [{ about, verdict: 'problem', found: 'has no carrier', remedy }];
  }
  const findings = [
    lookAtLro(host, device, about),
    lookAtDrops(host, device, about, stats64?.rx ?? {}),
    ...(lostFrames === 0 ? [] : [tooSlow(about, lostFrames)]),
  ].filter(each => each !== undefined);
  return findings.length > 0 ? findings : [{ about, verdict: 'good', found: `is up, MTU ${mtu}` }];
}

/** LRO joins packets in a way that cannot be undone: what is forwarded differs from what was sent. */
function lookAtLro(host: Host, device: string, about: string): Finding | undefined {
  const features = host.run('ethtool', ['-k', device]);
  if (features === undefined || !/^large-receive-offload: on/m.test(features)) return undefined;
  return {
    about,
    verdict: 'problem',
    found: 'joins received packets (LRO), so that forwarded packets differ from those that were sent',
    remedy: `ethtool -K ${device} lro off`,
  };
}

function tooSlow(about: string, frames: number): Finding {
  return {
    about,
    verdict: 'problem',
    found: `Sluice was too slow for ${frames} of its frames since the start`,
    remedy: 'more workers: director.workers, at most one for each CPU',
  };
}

/** Packets that the device had no room for. */
function lookAtDrops(
  host: Host,
  device: string,
  about: string,
  received: Readonly<Record<string, number>>,
): Finding | undefined {
  const lost = Math.max(...['missed_errors', 'over_errors', 'fifo_errors'].map(name => received[name] ?? 0));
  if (lost === 0) return undefined;
  const rings = host.run('ethtool', ['-g', device]) ?? '';
  const [most = 0, now = 0] = [...rings.matchAll(/^RX:\s+(\d+)/gm)].map(([, count]) => Number(count));
  const found = `had no room for ${lost} packets since the host's start`;
  if (now > 0 && now < most) {
    return {
      about,
      verdict: 'advice',
      found: `${found}; its ring has ${now} places`,
      remedy: `ethtool -G ${device} rx ${most}`,
    };
  }
  return {
    about,
    verdict: 'advice',
    found,
    remedy: `spread its interrupts over more CPUs: ethtool -l ${device} shows its queues; more workers: director.workers`,
  };
}
