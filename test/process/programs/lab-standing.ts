// SPDX-License-Identifier: Apache-2.0
// Makes a topology with a program in it, prints its id, and waits to be killed.
import { Topology } from '../../../lab/topology/topology.ts';

const topology = await Topology.up({
  hosts: {
    alone: { interfaces: {}, services: [{ name: 'wait', command: ['sleep', 'infinity'], ready: { prints: '' } }] },
  },
  links: [],
});
console.log(`stands: ${topology.id}.`);
setInterval(() => undefined, 60_000);
