// SPDX-License-Identifier: Apache-2.0
// Prints a shell script that asks the real ipvsadm about every case of commands.txt. It changes the tables of the kernel that it
// runs on, so run it as root in a virtual machine with the kernel's IPVS and renew the recording with what it prints:
//   tsx test/golden/ipvsadm/record.ts > commands.sh
//   sh commands.sh > test/golden/ipvsadm/commands.recorded
import { readFileSync } from 'node:fs';
import { readCases } from './cases.ts';

const parts = [
  ['save', '-S -n'],
  ['list', '-L -n --nosort'],
  ['thresholds', '-L -n --nosort --thresholds'],
  ['tunnels', '-L -n --tun-info'],
  ['timeouts', '-L --timeout'],
] as const;

const cases = readCases(readFileSync(new URL('commands.txt', import.meta.url), 'utf8'));
for (const [number, commands] of cases.entries()) {
  console.log('ipvsadm -C; ipvsadm --set 900 120 300');
  console.log(`echo "mark case ${number}"`);
  for (const command of commands) console.log(`{ ipvsadm ${command}; echo "=> $?"; } 2>&1 | sed 's/^/sh| /'`);
  for (const [name, command] of parts) console.log(`echo "mark ${name}"; ipvsadm ${command} | sed 's/^/sh| /'`);
}
