// SPDX-License-Identifier: Apache-2.0
// What the director exports as metrics, without the code that counts (metrics.ts).
import { family } from '../core/metrics/family.ts';

/** Services and real servers beyond these have series together: `other`. */
export const mostServices = 500;
export const mostServers = 2000;
/** Local addresses of pools, the same way. */
export const mostLocalAddresses = 256;
export const mostPools = 256;

const service = ['service'] as const;
const server = ['service', 'server'] as const;

export const services = family({
  name: 'sluice_director_services',
  type: 'gauge',
  help: 'Virtual services',
  labels: [],
});

export const servers = family({
  name: 'sluice_director_servers',
  type: 'gauge',
  help: 'Real servers of all services; a real server of two services counts twice',
  labels: [],
});

export const serviceConnections = family({
  name: 'sluice_director_service_connections',
  type: 'counter',
  help: 'Connections that were opened',
  labels: service,
});

export const servicePackets = family({
  name: 'sluice_director_service_packets',
  type: 'counter',
  help: 'Packets of connections. in: from clients, out: to clients',
  labels: ['service', 'direction'],
});

export const serviceBytes = family({
  name: 'sluice_director_service_bytes',
  type: 'counter',
  unit: 'bytes',
  help: 'Bytes of connections, of IP packets with their headers. in: from clients, out: to clients',
  labels: ['service', 'direction'],
});

export const serviceActive = family({
  name: 'sluice_director_service_active_connections',
  type: 'gauge',
  help: 'Established connections',
  labels: service,
});

export const serviceInactive = family({
  name: 'sluice_director_service_inactive_connections',
  type: 'gauge',
  help: 'Connections in any other state',
  labels: service,
});

export const serviceServers = family({
  name: 'sluice_director_service_servers',
  type: 'gauge',
  help: 'Real servers of the service, as the director uses them: those that health checks have taken out are not counted',
  labels: service,
});

export const serviceUpServers = family({
  name: 'sluice_director_service_up_servers',
  type: 'gauge',
  help: 'Real servers of the service that get new connections: their weight is not 0',
  labels: service,
});

export const serverConnections = family({
  name: 'sluice_director_server_connections',
  type: 'counter',
  help: 'Connections that were given to the real server',
  labels: server,
});

export const serverPackets = family({
  name: 'sluice_director_server_packets',
  type: 'counter',
  help: 'Packets of the real server. in: from clients, out: to clients',
  labels: ['service', 'server', 'direction'],
});

export const serverBytes = family({
  name: 'sluice_director_server_bytes',
  type: 'counter',
  unit: 'bytes',
  help: 'Bytes of the real server, of IP packets with their headers. in: from clients, out: to clients',
  labels: ['service', 'server', 'direction'],
});

export const serverActive = family({
  name: 'sluice_director_server_active_connections',
  type: 'gauge',
  help: 'Established connections',
  labels: server,
});

export const serverInactive = family({
  name: 'sluice_director_server_inactive_connections',
  type: 'gauge',
  help: 'Connections in any other state',
  labels: server,
});

export const serverPersistent = family({
  name: 'sluice_director_server_persistent_clients',
  type: 'gauge',
  help: 'Clients that persistence keeps at the real server',
  labels: server,
});

export const serverWeight = family({
  name: 'sluice_director_server_weight',
  type: 'gauge',
  help: 'The weight as the director uses it: with what health checks, a slow start and maintenance make of it',
  labels: server,
});

export const serverUp = family({
  name: 'sluice_director_server_up',
  type: 'gauge',
  help: '1 if the real server gets new connections, 0 if its weight is 0',
  labels: server,
});

export const packets = family({
  name: 'sluice_director_packets',
  type: 'counter',
  help: 'Packets by the reason of their verdict; verdict="drop" are those that were dropped',
  labels: ['verdict', 'reason'],
});

export const workerFrames = family({
  name: 'sluice_director_worker_frames',
  type: 'counter',
  help: 'Frames that a worker took from ports (received) and gave to them (transmitted)',
  labels: ['worker', 'direction'],
});

export const workerBytes = family({
  name: 'sluice_director_worker_bytes',
  type: 'counter',
  unit: 'bytes',
  help: 'Bytes of the frames of a worker',
  labels: ['worker', 'direction'],
});

export const workerBatches = family({
  name: 'sluice_director_worker_batches',
  type: 'counter',
  help: 'Batches of frames that a worker took; frames by batches say how busy it is',
  labels: ['worker'],
});

export const workerLost = family({
  name: 'sluice_director_worker_lost_frames',
  type: 'counter',
  help: 'Frames that a worker has not forwarded (dropped), and frames that should have left and that no port took (untransmitted)',
  labels: ['worker', 'loss'],
});

export const workerAwake = family({
  name: 'sluice_director_worker_awake_seconds',
  type: 'counter',
  unit: 'seconds',
  help: 'Time that the thread of a worker did not sleep',
  labels: ['worker'],
});

export const workerLongestVisit = family({
  name: 'sluice_director_worker_longest_visit_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'The longest time that a worker stood still for a change or a question',
  labels: ['worker'],
});

export const portUp = family({
  name: 'sluice_director_port_up',
  type: 'gauge',
  help: '1 if the device of the port is up, else 0',
  labels: ['port', 'device'],
});

export const portFrames = family({
  name: 'sluice_director_port_frames',
  type: 'counter',
  help: 'Frames that a port has received and transmitted',
  labels: ['port', 'device', 'direction'],
});

export const portBytes = family({
  name: 'sluice_director_port_bytes',
  type: 'counter',
  unit: 'bytes',
  help: 'Bytes of the frames of a port',
  labels: ['port', 'device', 'direction'],
});

export const portFailures = family({
  name: 'sluice_director_port_failed_frames',
  type: 'counter',
  help: 'Frames that found no room because the worker was too slow (no_room), could not be read (unreadable), or could not be sent (not_sent)',
  labels: ['port', 'device', 'failure'],
});

export const flows = family({
  name: 'sluice_director_flows',
  type: 'gauge',
  help: 'Flows in the table, by the family of their addresses; those that persistence keeps are counted too',
  labels: ['family'],
});

export const flowsLimit = family({
  name: 'sluice_director_flows_limit',
  type: 'gauge',
  help: 'The most flows of one family: beyond it new ones are refused (limits.flows). Each worker has an equal share',
  labels: [],
});

export const poolUsedPorts = family({
  name: 'sluice_director_pool_used_ports',
  type: 'gauge',
  help: 'Ports of a local address that flows have; a port can serve flows to several remote ends',
  labels: ['pool', 'address'],
});

export const poolFreePorts = family({
  name: 'sluice_director_pool_free_ports',
  type: 'gauge',
  help: 'Ports of a local address that no flow has; 0 for an address that left its pool and still has flows',
  labels: ['pool', 'address'],
});

export const poolFlows = family({
  name: 'sluice_director_pool_flows',
  type: 'gauge',
  help: 'Flows that have the local address',
  labels: ['pool', 'address'],
});

export const poolMissed = family({
  name: 'sluice_director_pool_missed_flows',
  type: 'counter',
  help: 'New flows for which no address of the pool had a free port towards their remote end',
  labels: ['pool'],
});

export const poolFullest = family({
  name: 'sluice_director_pool_fullest_ratio',
  type: 'gauge',
  unit: 'ratio',
  help: 'The part of the ports of the pool that are taken towards one remote end: the one that has fewest left, on the worker where it is worst. At 1 new flows to it are refused. 0 while no remote end has many flows',
  labels: ['pool'],
});

export const directorFamilies = [
  services,
  servers,
  serviceConnections,
  servicePackets,
  serviceBytes,
  serviceActive,
  serviceInactive,
  serviceServers,
  serviceUpServers,
  serverConnections,
  serverPackets,
  serverBytes,
  serverActive,
  serverInactive,
  serverPersistent,
  serverWeight,
  serverUp,
  packets,
  workerFrames,
  workerBytes,
  workerBatches,
  workerLost,
  workerAwake,
  workerLongestVisit,
  portUp,
  portFrames,
  portBytes,
  portFailures,
  flows,
  flowsLimit,
  poolUsedPorts,
  poolFreePorts,
  poolFlows,
  poolMissed,
  poolFullest,
] as const;
