// SPDX-License-Identifier: Apache-2.0
// `npm run lab`: scenarios in network namespaces; `npm run lab -- oracle`: the kernel's IPVS in a virtual machine.
// Exit status: 0 done, 1 failed, 2 misuse.
import { oracle } from './ipvs-oracle/main.ts';
import { lab } from './lab.ts';

const [first, ...rest] = process.argv.slice(2);
process.exitCode = first === 'oracle' ? await oracle(rest) : await lab(process.argv.slice(2));
