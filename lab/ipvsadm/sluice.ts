// SPDX-License-Identifier: Apache-2.0
// Plays sequences to Sluice's ipvsadm, without a daemon and without packets.
import { executeIpvsadm, type Kernel } from '../../src/director/ipvsadm/execute.ts';
import { idleView } from '../../src/director/ipvsadm/listing.ts';
import { emptyDirectorModel } from '../../src/director/model.ts';
import { hosts } from './names.ts';
import type { Answered, Sequence } from './sequence.ts';

const byAddress = new Map(hosts.map(({ address, name }) => [address, name]));
const byName = new Map(
  hosts.filter(({ address }) => !address.includes(':')).map(({ address, name }) => [name, address]),
);

const kernel: Omit<Kernel, 'model'> = {
  views: async services => services.map(idleView),
  connections: async () => [],
  hostNames: async () => address => byAddress.get(address),
  hostAddress: async name => byName.get(name.toLowerCase()),
  zero: async () => undefined,
};

export async function playSluice(sequence: Sequence): Promise<Answered[]> {
  let model = emptyDirectorModel;
  const answered: Answered[] = [];
  for (const invocation of sequence) {
    const { words, input = '' } = invocation;
    const { stdout, stderr, status, model: after } = await executeIpvsadm(words, input, { ...kernel, model });
    model = after;
    answered.push({ invocation, answer: { stdout, stderr, status } });
  }
  return answered;
}
