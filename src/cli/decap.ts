// SPDX-License-Identifier: Apache-2.0
// `sluice decap`: takes the director's packets out of their tunnels on a real server whose kernel lacks the tunnel.
import { bitsOf, isMulticast, isUnspecified, parseInterfaceAddress } from '../core/address.ts';
import { type HostError, UsageError } from '../core/errors.ts';
import { Lifecycle } from '../core/lifecycle.ts';
import { createLogger, parseLogLevel } from '../core/logger.ts';
import { stopOnSignals } from '../core/signals.ts';
import { DecapAgent, type Tunnel, tunnels } from '../decap/agent.ts';
import { type Command, type ExitStatus, parseOptions } from './command.ts';

const defaultDevice = 'sluice-decap';
/** IANA's port for GUE. */
const defaultGuePort = 6080;

const usage = `Usage: sluice decap [OPTION…]

Takes packets out of IPIP, GUE and GRE tunnels that end at this host, and passes the inner packets to the host's stack
by a TUN device. It is for real servers of mode tunnel whose kernel lacks the tunnel. Replies go to the client directly,
by the host's routes. Needs root. Runs until SIGINT or SIGTERM, and then removes what it has set up.

  --address ADDRESS   a virtual address that the host has while the command runs: 192.0.2.10/32 or 2001:db8::10/128. May
                      be repeated. If it is given, inner packets for other addresses are dropped
  --from DEVICE       take packets from this device only; from all devices unless given
  --tunnel TYPE       ipip, gue or gre; may be repeated; all three unless given
  --gue-port PORT     UDP port of GUE; ${defaultGuePort} unless given
  --device NAME       name of the TUN device; ${defaultDevice} unless given
  --log-level LEVEL   trace, debug, info, warn, error, fatal or silent; info unless given
`;

const options = {
  address: { type: 'string', multiple: true },
  from: { type: 'string' },
  tunnel: { type: 'string', multiple: true },
  'gue-port': { type: 'string' },
  device: { type: 'string' },
  'log-level': { type: 'string' },
} as const;

/** The addresses without their prefix lengths, which must be those of a single host. */
function addressesOf(words: readonly string[]): string[] {
  const addresses = words.map(word => {
    const parsed = parseInterfaceAddress(word);
    if (parsed === undefined || isMulticast(parsed.address) || isUnspecified(parsed.address)) {
      throw new UsageError('not an address for a host', { value: word, remedy: 'use one like 192.0.2.10/32' });
    }
    const { address, prefix } = parsed;
    if (prefix !== bitsOf(address.family)) {
      const remedy = `use /${bitsOf(address.family)}: the other addresses of its network are not behind a tunnel`;
      throw new UsageError('a virtual address is one host', { value: word, remedy });
    }
    return address.text;
  });
  return [...new Set(addresses)];
}

function isTunnel(word: string): word is Tunnel {
  return (tunnels as readonly string[]).includes(word);
}

function tunnelsOf(words: readonly string[]): readonly Tunnel[] {
  if (words.length === 0) return tunnels;
  for (const word of words) {
    if (!isTunnel(word)) throw new UsageError('no such tunnel', { value: word, remedy: `use ${tunnels.join(', ')}` });
  }
  return words.filter(isTunnel);
}

function portOf(word: string | undefined): number {
  if (word === undefined) return defaultGuePort;
  const port = Number(word);
  if (!/^\d+$/.test(word) || port < 1 || port > 65_535) {
    throw new UsageError('not a port', { value: word, remedy: 'use 1 to 65535' });
  }
  return port;
}

/** A device name that the kernel accepts. "%" is refused, as the kernel would replace "%d" by a number. */
function deviceOf(word: string): string {
  if (/^[^\s/:%]{1,15}$/.test(word) && word !== '.' && word !== '..') return word;
  throw new UsageError('not a name for a device', { value: word, remedy: 'use 1 to 15 letters, digits and hyphens' });
}

async function run(args: readonly string[]): Promise<ExitStatus> {
  const { values } = parseOptions(args, options);
  const value = (name: string) => values.get(name)?.[0];
  const from = value('from');
  const logger = createLogger({ level: parseLogLevel(value('log-level') ?? 'info') });
  let lost: HostError | undefined;
  let end = (): void => {};
  const ended = new Promise<void>(resolve => {
    end = resolve;
  });
  const agent = new DecapAgent({
    device: deviceOf(value('device') ?? defaultDevice),
    ...(from === undefined ? {} : { from: deviceOf(from) }),
    addresses: addressesOf(values.get('address') ?? []),
    tunnels: tunnelsOf(values.get('tunnel') ?? []),
    guePort: portOf(value('gue-port')),
    logger: logger.child({ area: 'decap' }),
    onLost: error => {
      lost = error;
      end();
    },
  });
  const lifecycle = new Lifecycle([agent]);
  const forget = stopOnSignals({ logger, stop: end });
  try {
    await lifecycle.start();
    await ended;
    await lifecycle.stop();
  } finally {
    forget();
  }
  if (lost !== undefined) throw lost;
  return 0;
}

export const decapCommand: Command = {
  usage,
  run,
};
