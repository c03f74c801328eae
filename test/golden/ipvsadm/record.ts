// SPDX-License-Identifier: Apache-2.0
// Prints the scenario that asks the kernel's IPVS and the real ipvsadm about every case of commands.txt. Renew the recording
// with the oracle's runner, which leaves the transcript beside the scenario:
//   tsx test/golden/ipvsadm/record.ts > /tmp/commands && lab/ipvs-oracle/run /tmp/commands
//   mv /tmp/commands.ipvs test/golden/ipvsadm/commands.recorded
import { readFileSync } from 'node:fs';
import { readCases } from './cases.ts';

const cases = readCases(readFileSync(new URL('commands.txt', import.meta.url), 'utf8'));
for (const [number, commands] of cases.entries()) {
  console.log('sh ipvsadm -C; ipvsadm --set 900 120 300');
  console.log(`mark case ${number}`);
  for (const command of commands) console.log(`sh ipvsadm ${command} 2>&1; echo "=> $?"`);
  console.log('mark save');
  console.log('sh ipvsadm -S -n');
  console.log('mark list');
  console.log('sh ipvsadm -L -n --nosort');
  console.log('mark thresholds');
  console.log('sh ipvsadm -L -n --nosort --thresholds');
  console.log('mark tunnels');
  console.log('sh ipvsadm -L -n --tun-info');
  console.log('mark timeouts');
  console.log('sh ipvsadm -L --timeout');
}
