// SPDX-License-Identifier: Apache-2.0
// Passes one packet through the director and prints the verdict with its reasons.
//   node examples/explain-a-packet.mjs
import { Director, describeFrame, formatConnections } from 'sluice';

const director = new Director({
  net: `
    ports:
      c0: { mac: "02:00:00:00:01:01", addresses: [10.0.1.1/24] }
      s0: { mac: "02:00:00:00:02:01", addresses: [10.0.2.1/24] }
    neighbours:
      10.0.1.2: { mac: "02:00:00:00:01:02", port: c0 }
      10.0.2.11: { mac: "02:00:00:00:02:11", port: s0 }
  `,
  rules: `
    -A -t 10.0.1.100:80 -s wlc
    -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m -w 1
  `,
});

// A TCP SYN from 10.0.1.2 port 40000 to 10.0.1.100 port 80.
const syn = Buffer.from(
  `020000000101 020000000102 0800
   45000028 00000000 4006646b 0a000102 0a000164
   9c400050 00000001 00000000 5002ffff fceb0000`.replaceAll(/\s/g, ''),
  'hex',
);
const now = 1_700_000_000_000_000_000n;
const verdict = director.receive('c0', syn, now, { explain: true });

console.log(`${describeFrame(syn)}\n${verdict.verdict}, ${verdict.reason}: ${verdict.meaning}`);
for (const step of verdict.steps ?? []) console.log(`- ${step}`);
for (const { port, frame } of verdict.out) console.log(`> ${port} ${describeFrame(frame)}`);
console.log(`\n${formatConnections(director.connections(now))}`);
