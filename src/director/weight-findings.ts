// SPDX-License-Identifier: Apache-2.0
// Why real servers have the weights that the director runs them with, in words. effective.ts decides, and says why.
import type { Surroundings } from '../core/config/section.ts';
import type { Finding, Subject } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import { counted, mendServers } from '../core/words.ts';
import { type Use, type WeighedServer, type WeightReason, weighService } from './effective.ts';
import { type DirectorModel, type Service, type ServiceHealth, serverKey, serviceIndex } from './model.ts';

/** Nobody reads the lines of a thousand servers. */
const mostLines = 32;

export function weightFindings(
  { services }: DirectorModel,
  { observed }: Pick<Surroundings, 'observed'>,
  { group, target }: Subject,
): readonly Finding[] {
  const service = serviceIndex(services).get(group);
  if (service === undefined) return [];
  const { use, servers } = weighService(service, observed.groups.get(group));
  if (target === undefined) return serviceFindings(service, use, servers);
  const server = servers.find(({ configured }) => serverKey(configured) === target);
  if (server !== undefined) return [weightFinding(server, use, service.health), ...uncheckedFinding(service)];
  return service.health?.sorry && serverKey(service.health.sorry) === target ? [idleSorry(service.health)] : [];
}

/** What the configuration says about the subject, for a comparison with what it said before. */
export function saidOf({ services }: DirectorModel, { group, target }: Subject): unknown {
  const service = serviceIndex(services).get(group);
  return target === undefined ? service : service?.servers.find(server => serverKey(server) === target);
}

interface Words extends Pick<Finding, 'effect' | 'text'> {
  readonly because?: string;
  readonly remedy?: string;
}

function weightFinding(server: WeighedServer, use: Use, health: ServiceHealth | undefined): Finding {
  const { configured, effective } = server;
  const details =
    effective?.weight === configured.weight
      ? []
      : [
          `configured weight ${configured.weight}${configured.maintenance ? ', maintenance: true' : ''}`,
          effective === undefined
            ? 'the director does not have the server now'
            : `effective weight ${effective.weight}`,
        ];
  return { topic: 'weight', details, ...weightWords(server, use, health) };
}

function weightWords(server: WeighedServer, use: Use, health: ServiceHealth | undefined): Words {
  const { configured, effective, reason, state } = server;
  const weight = effective?.weight ?? 0;
  const inPlace = `weight ${weight} in place of ${configured.weight}`;
  const lost = effective === undefined ? 'it has left the service' : inPlace;
  const words: Readonly<Record<WeightReason, () => Words>> = {
    configured: () =>
      weight > 0
        ? { effect: 'none', text: `weight ${weight}, as configured` }
        : {
            effect: 'blocks',
            text: 'its configured weight is 0',
            because: 'change',
            remedy: 'give it a weight: in the sluice.yaml with sluice apply, or with sluice ipvsadm -e',
          },
    maintenance: () => ({
      effect: 'blocks',
      text: 'it is in maintenance',
      because: 'change',
      remedy: `sluice drain ${serverKey(configured)} --undo takes it back`,
    }),
    down: () => ({
      effect: 'blocks',
      text: `${lost}: ${downWords(health)}`,
      because: 'health',
      remedy: 'mend the server, or its checks if the server works; it comes back by itself',
    }),
    found: () =>
      weight > 0
        ? { effect: 'none', text: `weight ${weight}, which its checks found, in place of ${configured.weight}` }
        : { effect: 'blocks', text: `${inPlace}: its checks found it`, because: 'health' },
    slow_start: () => ({
      effect: 'hinders',
      text: `${inPlace}: its slow start has reached ${Math.round((state?.share ?? 1) * 100)} %`,
      because: 'health',
    }),
    used_though_down: () => ({
      effect: 'hinders',
      text: `it is down and used all the same: ${useWords(use)}`,
      because: 'health',
      remedy: 'mend the servers, or the checks if the servers work',
    }),
    out_for_sorry: () => ({
      effect: 'blocks',
      text: `${lost}: the sorry server is in use, because ${useWords(use)}`,
      because: 'health',
      remedy: 'mend the servers that are down; all come back by themselves',
    }),
    sorry: () => ({ effect: 'none', text: `it is the sorry server, in use because ${useWords(use)}` }),
  };
  return words[reason]();
}

function downWords(health: ServiceHealth | undefined): string {
  return health?.onFailure === 'remove' ? 'it is down (on_failure: remove)' : 'it is down';
}

export function useWords(use: Use): string {
  if (use.kind === 'healthy') return 'the servers that are up are used';
  if (use.because === 'panic') return 'fewer servers are up than the panic threshold asks for';
  return use.because === 'none_up' ? 'no server is up' : 'the quorum is lost';
}

function idleSorry({ sorryWhen }: ServiceHealth): Finding {
  const when = sorryWhen === 'none_up' ? 'while no server is up' : 'while no server is up or the quorum is lost';
  return {
    topic: 'weight',
    effect: 'blocks',
    text: `it is the sorry server: it gets connections only ${when}`,
    details: [],
  };
}

function uncheckedFinding({ health }: Service): readonly Finding[] {
  if (health !== undefined) return [];
  return [
    {
      topic: 'health',
      effect: 'none',
      text: 'not checked: a server that is dead gets connections as well',
      details: [],
      remedy: 'name checks for the service: docs/health.md',
    },
  ];
}

function serviceFindings(service: Service, use: Use, all: readonly WeighedServer[]): Finding[] {
  const servers = all.filter(({ configured }) => configured !== service.health?.sorry);
  const serving = servers.filter(({ effective }) => (effective?.weight ?? 0) > 0);
  const out = servers.filter(({ effective }) => (effective?.weight ?? 0) === 0);
  const down = servers.filter(({ state }) => state?.health === 'down');
  // What a sorry server in use means, the finding about it says.
  const effect = use.kind === 'sorry' ? 'none' : serving.length === 0 ? 'blocks' : down.length > 0 ? 'hinders' : 'none';
  const counts = [...countsOf(out.map(({ reason }) => reason))].map(
    ([reason, count]) => `${count} ${outWords[reason]}`,
  );
  const text =
    servers.length === 0
      ? 'it has no real server'
      : `${serving.length} of ${counted(servers.length, 'server')} get new connections${counts.length === 0 ? '' : `: ${counts.join(', ')}`}`;
  const because = down.length > 0 ? 'health' : undefined;
  const remedy = effect === 'blocks' ? 'see sluice explain server of one of them' : undefined;
  return [
    { topic: 'servers', effect, text, details: serverLines(service, use, all), ...given({ because, remedy }) },
    ...useFinding(use, service.health),
    ...uncheckedFinding(service),
  ];
}

const outWords: Readonly<Record<WeightReason, string>> = {
  configured: 'with weight 0',
  maintenance: 'in maintenance',
  down: 'down',
  found: 'with weight 0 by their checks',
  slow_start: 'starting',
  used_though_down: 'down',
  out_for_sorry: 'out for the sorry server',
  sorry: 'sorry server',
};

function countsOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function serverLines({ health }: Service, use: Use, servers: readonly WeighedServer[]): string[] {
  const lines = servers
    .slice(0, mostLines)
    .map(server => `${serverKey(server.configured)}: ${weightWords(server, use, health).text}`);
  return servers.length > mostLines ? [...lines, `and ${servers.length - mostLines} more servers`] : lines;
}

function useFinding(use: Use, health: ServiceHealth | undefined): readonly Finding[] {
  if (use.kind === 'healthy') {
    if (!health?.sorry) return [];
    return [
      {
        topic: 'sorry',
        effect: 'none',
        text: `the sorry server ${serverKey(health.sorry)} is not in use`,
        details: [],
      },
    ];
  }
  const what =
    use.kind === 'sorry' && health?.sorry
      ? `the sorry server ${serverKey(health.sorry)} is in use`
      : 'all servers are used, also those that are down';
  const remedy = mendServers;
  return [
    { topic: 'sorry', effect: 'hinders', text: `${what}: ${useWords(use)}`, because: 'health', details: [], remedy },
  ];
}
