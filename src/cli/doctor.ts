// SPDX-License-Identifier: Apache-2.0
// `sluice doctor`: looks at the host that Sluice runs on, or is to run on.
import { controlSnapshot, controlStatus, defaultSocket } from '../control/api.ts';
import type { ApiClient } from '../core/api/client.ts';
import { SystemError, UnavailableError } from '../core/errors.ts';
import { documentFormat } from '../daemon/document.ts';
import { defaultStateFolder } from '../daemon/state-folder.ts';
import { directorStatus } from '../director/api.ts';
import { defaultDevices } from '../director/devices.ts';
import type { DirectorModel } from '../director/model.ts';
import { tunnelOverhead } from '../director/tunnel-overhead.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding, Purpose, TunnelWanted, Verdict } from '../doctor/finding.ts';
import { thisHost } from '../doctor/host.ts';
import { type Command, optionalWord } from './command.ts';
import { snapshotOf } from './document.ts';
import { askAndPrint, commonUsage } from './question.ts';

const usage = `Usage: sluice doctor [FILE] [OPTION…]

Looks at this host and says what to change and why: kernel, other users of its packets, CPUs, network devices, tunnels, real
servers in DR mode that answer ARP, open files, disk, clock. It looks for what the running Sluice does or, where none runs,
for the sluice.yaml FILE. It changes nothing, and sends no more than ARP requests. Ends with status 1 when something is wrong.

  --state DIR     the folder that sluice run was given by --state; unless given, that beside the socket
${commonUsage}
`;

export const doctorCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      takesWords: true,
      options: { state: { type: 'string' } },
      ask: async (client, parsed) => {
        const file = optionalWord(parsed);
        const socket = parsed.values.get('socket')?.[0];
        const purpose = file === undefined ? await running(client, socket !== undefined) : await planned(file);
        const stateFolder = parsed.values.get('state')?.[0] ?? defaultStateFolder(socket ?? defaultSocket);
        return { findings: examine(thisHost, { ...purpose, stateFolder }) };
      },
      text: ({ findings }) => `${findings.map(lineOf).join('')}${sumOf(findings)}\n`,
      status: ({ findings }) => (findings.some(({ verdict }) => verdict === 'problem') ? 1 : 0),
    }),
};

type Planned = Omit<Purpose, 'stateFolder'>;

/** What runs; nothing where no Sluice answers, unless one has to. */
async function running(client: ApiClient, hasToAnswer: boolean): Promise<Planned> {
  try {
    const [{ processes }, { document }, { ports }] = await Promise.all([
      client.call(controlStatus, {}),
      client.call(controlSnapshot, {}),
      client.call(directorStatus, {}),
    ]);
    return {
      devices: ports.map(({ device }) => device),
      ...wantsOf(documentFormat.from(document).director),
      lostFrames: new Map(ports.map(({ device, kernelDrops }) => [device, kernelDrops])),
      processes: processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
    };
  } catch (error) {
    const isSilent = error instanceof SystemError && ['ENOENT', 'ECONNREFUSED'].includes(error.errnoName);
    if ((isSilent && !hasToAnswer) || error instanceof UnavailableError) return await planned(undefined);
    throw error;
  }
}

async function planned(file: string | undefined): Promise<Planned> {
  const model = file === undefined ? undefined : (await snapshotOf(file)).director;
  const wants = model === undefined ? { stealing: undefined, tunnels: [], direct: [] } : wantsOf(model);
  const ports = model?.ports.map(({ device }) => device) ?? [];
  return { devices: ports.length > 0 ? ports : defaultDevices(), ...wants, lostFrames: new Map(), processes: [] };
}

function wantsOf({ stealing, services }: DirectorModel): Pick<Purpose, 'stealing' | 'tunnels' | 'direct'> {
  const tunnels = new Map<string, TunnelWanted>();
  for (const { address, tunnel } of services.flatMap(({ servers }) => servers)) {
    if (tunnel === null) continue;
    const overhead = tunnelOverhead(tunnel, address);
    tunnels.set(`${address} ${overhead}`, { server: address, overhead });
  }
  const direct = services.flatMap(({ identity, servers }) => {
    // Which addresses a firewall mark stands for is not known.
    if ('mark' in identity) return [];
    return servers
      .filter(({ mode }) => mode === 'dr')
      .map(server => ({ address: identity.address, server: server.address }));
  });
  return { stealing, tunnels: [...tunnels.values()], direct };
}

const marks: Readonly<Record<Verdict, string>> = { good: ' ', advice: '~', problem: '!', unknown: '?' };

function lineOf({ about, verdict, found, remedy }: Finding): string {
  const line = `${marks[verdict]} ${about}: ${found}\n`;
  return remedy === undefined ? line : `${line}    ${remedy}\n`;
}

function sumOf(findings: readonly Finding[]): string {
  const [problems = 0, advice = 0] = (['problem', 'advice'] as const).map(
    wanted => findings.filter(({ verdict }) => verdict === wanted).length,
  );
  if (problems + advice === 0) return 'nothing to change';
  return `to change: ${problems} (!); would be better: ${advice} (~)`;
}
