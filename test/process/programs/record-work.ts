// SPDX-License-Identifier: Apache-2.0
// record-work.ts NAME FOLDER: a process of a supervisor that writes what it is told to FOLDER/NAME. As control it asks for
// the planes `one` and `two`, and ends everything when both run.
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { channelDescriptor } from '../../../src/daemon/descriptors.ts';
import { childEnd, childPort } from '../../../src/daemon/messages.ts';

const [name = '', folder = ''] = process.argv.slice(2);
const planes = ['one', 'two'];
const port = childPort(new Socket({ fd: channelDescriptor }));
const channel = childEnd(port);
port.onClose(() => process.exit(0));

channel.listen(
  {
    work: fields => {
      writeFileSync(join(folder, name), JSON.stringify(fields));
      if (name === 'control') channel.send('planes', { names: planes });
      else channel.send('ready', {});
    },
    processes: ({ processes }) => {
      const run = processes.filter(each => planes.includes(each.name) && each.state === 'running');
      if (run.length === planes.length) channel.send('refused', { message: 'enough', exitStatus: 1 });
    },
    reload: () => undefined,
    answer: () => undefined,
  },
  error => {
    throw error;
  },
);
