// SPDX-License-Identifier: Apache-2.0
// Rules of ipvsadm as a document.
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { importIpvsadm } from '../../../src/import/ipvsadm.ts';
import { entryText } from '../../../src/import/report.ts';
import { documentText } from '../../../src/import/write.ts';

const lookUp = async (host: string) => ({ 'shop.example': '10.0.1.1', 'web-1': '10.0.2.1' })[host];
const portNames = (name: string) => (name === 'http' ? 80 : undefined);
const read = async (text: string) => {
  const { document, report } = await importIpvsadm(text, 'rules', { lookUp, portNames });
  return { document: parse(documentText(document, [])), lines: report.entries().map(entryText) };
};

it('rules without -n name hosts, which are looked up', async () => {
  const { document, lines } = await read(
    '-A -t shop.example:http -s wlc\n-a -t shop.example:http -r web-1:http -g -w 2\n',
  );
  expect(document.director.services).toEqual([
    { tcp: '10.0.1.1:80', servers: [{ server: '10.0.2.1:80', mode: 'dr', weight: 2 }] },
  ]);
  expect(lines).toContain('rules:2: made explicit: web-1 is 10.0.2.1, as it was looked up now');
});

it('what a document cannot say is listed, and what changes nothing is ignored', async () => {
  const { document, lines } = await read(
    'ipvsadm -C\n# comment\n-A -f 1 -s rr\n--set 600 0 0\n--start-daemon master\n-L\n-A -f 1\n-A -t nowhere:80\n',
  );
  expect(document.director).toEqual({
    services: [{ mark: 1, scheduler: 'rr' }],
    timeouts: { tcp: { established: 600 } },
  });
  expect(lines.map(line => line.split(': ').slice(0, 2).join(': '))).toEqual([
    'rules:5: not carried over',
    'rules:6: ignored',
    'rules:7: ignored',
    'rules:8: not carried over',
  ]);
});
