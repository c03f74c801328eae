// SPDX-License-Identifier: Apache-2.0
// `npm run lab`: scenarios in network namespaces; `npm run lab -- oracle`: the kernel's IPVS in a virtual machine;
// `npm run lab -- ipvsadm`: the real ipvsadm in one.
// Exit status: 0 done, 1 failed, 2 misuse.
import { oracle } from './ipvs-oracle/main.ts';
import { ipvsadm } from './ipvsadm/main.ts';
import { lab, usage } from './lab.ts';

const words = process.argv.slice(2);
if (words[0] === 'oracle') process.exitCode = await oracle(words.slice(1));
else if (words[0] === 'ipvsadm') process.exitCode = await ipvsadm(words.slice(1));
else if (words.includes('--help')) process.stdout.write(usage);
else process.exitCode = await lab(words);
