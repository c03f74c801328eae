// SPDX-License-Identifier: Apache-2.0
// ipvsadm's commands on a running Sluice: they read and change the director's section of the snapshot in force. A call is
// one change, whatever it restores, and an entry of the history.
import type { ApiClient } from '../core/api/client.ts';
import { type Answering, answering, type ParametersOf } from '../core/api/route.ts';
import { SluiceError } from '../core/errors.ts';
import { OneAtATime } from '../core/one-at-a-time.ts';
import { directorConnections, directorServices, directorZero, ipvsadmRoute } from '../director/api.ts';
import { executeIpvsadm, type Kernel, onlyAsks, type Reply } from '../director/ipvsadm/execute.ts';
import { idleView, type ServiceView } from '../director/ipvsadm/listing.ts';
import { type DirectorModel, emptyDirectorModel, type Service, serviceKey } from '../director/model.ts';
import { directorSection } from '../director/section.ts';
import { broadcastTest } from './broadcast.ts';
import type { ControlAccess } from './composition.ts';
import { documentFormat, type Snapshot, type sections } from './document.ts';
import { hostAddress, hostNames } from './host-names.ts';

type Access = ControlAccess<typeof sections>;

/** The history shows so much of a command. */
const longestReason = 200;

/**
 * Changes are made one after another, in the order in which they are asked for. A list may wait for names of hosts, so lists wait
 * for nobody and nobody for them.
 */
export function ipvsadmAnswer(access: Access): Answering {
  const changes = new OneAtATime();
  return answering(ipvsadmRoute, parameters =>
    onlyAsks(parameters.args) ? call(access, parameters) : changes.run(() => call(access, parameters)),
  );
}

async function call(
  access: Access,
  { args, input = '', author = 'unknown' }: ParametersOf<typeof ipvsadmRoute>,
): Promise<{ stdout: string; stderr: string; status: number }> {
  const before = modelOf(access.snapshot());
  const reply = await executeIpvsadm(args, input, kernelOf(access, before));
  const { stdout, stderr, status, model } = reply;
  if (directorSection.digest(model) === directorSection.digest(before)) return { stdout, stderr, status };
  try {
    const reason = `ipvsadm ${args.join(' ')}`.slice(0, longestReason);
    await access.changes.edit(snapshot => withDirector(snapshot, before, reply, args, input, access), {
      author,
      reason,
    });
    return { stdout, stderr, status };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { stdout: '', stderr: `${error.message}\n`, status: 255 };
  }
}

/** The snapshot with what the command makes of it; another change may have come into force meanwhile. */
async function withDirector(
  snapshot: Snapshot,
  before: DirectorModel,
  { model }: Reply,
  args: readonly string[],
  input: string,
  access: Access,
): Promise<Snapshot> {
  const now = modelOf(snapshot);
  const isSame = directorSection.digest(now) === directorSection.digest(before);
  const director = isSame ? model : (await executeIpvsadm(args, input, kernelOf(access, now))).model;
  const { id: _, ...models } = snapshot;
  return documentFormat.snapshot({ ...models, director });
}

function modelOf(snapshot: Snapshot | undefined): DirectorModel {
  return snapshot?.director ?? emptyDirectorModel;
}

function kernelOf(access: Access, model: DirectorModel): Kernel {
  const director = (): ApiClient | undefined => access.plane(directorSection.key);
  return {
    model,
    views: async services => {
      const [first, ...others] = services;
      const only = first !== undefined && others.length === 0 ? { service: serviceKey(first.identity) } : {};
      // The director may not run, or may run by a snapshot that is behind.
      const answer = await director()
        ?.call(directorServices, only)
        .catch(() => []);
      const counted = new Map((answer ?? []).map(view => [serviceKey(view.identity), view as ServiceView]));
      return services.map(service =>
        withCounts(idleView(service), counted.get(serviceKey(service.identity)), isCorrected(service)),
      );
    },
    connections: async () => {
      const client = director();
      const rows = [];
      if (client !== undefined) for await (const row of client.stream(directorConnections, {})) rows.push(row);
      return rows;
    },
    hostNames,
    hostAddress,
    isBroadcast: broadcastTest(),
    zero: async identity => {
      // A service that the same call has added has no counts yet.
      const isNew =
        identity !== undefined && !model.services.some(one => serviceKey(one.identity) === serviceKey(identity));
      if (isNew) return;
      await director()?.call(directorZero, identity === undefined ? {} : { service: serviceKey(identity) });
    },
  };
}

/** Whether the director may run the service with other servers or weights than the snapshot says. */
function isCorrected({ health, servers }: Service): boolean {
  return health !== undefined || servers.some(({ maintenance }) => maintenance === true);
}

/**
 * The service as the snapshot has it, with the counts of those of its servers that the director knows. Where checks or
 * maintenance decide about servers: with the servers and weights of the director.
 */
function withCounts(view: ServiceView, counted: ServiceView | undefined, isCorrected: boolean): ServiceView {
  if (counted === undefined) return view;
  const { counters, rates } = counted;
  if (isCorrected) return { ...view, counters, rates, servers: counted.servers };
  const servers = view.servers.map(server => {
    const known = counted.servers.find(({ address, port }) => address === server.address && port === server.port);
    if (known === undefined) return server;
    const { active, inactive, persistent } = known;
    return { ...server, active, inactive, persistent, counters: known.counters, rates: known.rates };
  });
  return { ...view, counters, rates, servers };
}
