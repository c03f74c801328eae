// SPDX-License-Identifier: Apache-2.0
// People name a service as "tcp 10.0.1.100:80", or as "mark 7" where a firewall mark finds it.
import { UsageError } from '../core/errors.ts';
import { type DirectorModel, type ServiceIdentity, serviceKey } from './model.ts';

/** A person sees by a few which form a name has. */
const mostExamples = 3;

/** The service of that name. Throws a UsageError with examples of those there are. */
export function serviceNamed({ services }: DirectorModel, name: string): ServiceIdentity {
  const identities = services.map(({ identity }) => identity);
  const found = identities.find(identity => serviceKey(identity) === name);
  if (found !== undefined) return found;
  const known = identities.slice(0, mostExamples).map(identity => serviceKey(identity));
  throw new UsageError('there is no such service', {
    value: name,
    remedy: known.length === 0 ? 'none is configured' : `such as ${known.join(', ')}`,
  });
}
