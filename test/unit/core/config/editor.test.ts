// SPDX-License-Identifier: Apache-2.0
// An editor with the YAML language server completes and checks a sluice.yaml by the schema that `sluice schema` prints.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { type CompletionItem, type Diagnostic, getLanguageService, type LanguageService } from 'yaml-language-server';
import { documentFormat } from '../../../../src/daemon/document.ts';

const schemaUri = 'file:///schema.json';

function languageService(): LanguageService {
  const service = getLanguageService({
    schemaRequestService: async () => JSON.stringify(documentFormat.schema),
    workspaceContext: { resolveRelativePath: path => path },
  });
  service.configure({
    completion: true,
    validate: true,
    hover: true,
    schemas: [{ uri: schemaUri, fileMatch: ['*.yaml'] }],
  });
  return service;
}

let documents = 0;

/** The document of a text in which | is the cursor. Documents of one name count as versions of one file. */
function documentOf(text: string) {
  const offset = text.indexOf('|');
  const document = TextDocument.create(`file:///${++documents}.yaml`, 'yaml', 1, text.replace('|', ''));
  return { document, cursor: document.positionAt(Math.max(0, offset)) };
}

async function completions(text: string): Promise<string[]> {
  const { document, cursor } = documentOf(text);
  const { items } = await languageService().doComplete(document, cursor, false);
  return items.map(({ label }: CompletionItem) => label);
}

async function mistakes(text: string): Promise<unknown[]> {
  const { document } = documentOf(text);
  return (await languageService().doValidation(document, false)).map(({ message }: Diagnostic) => message);
}

describe('an editor', () => {
  it('completes sections, keys and words', async () => {
    expect(await completions('|')).toEqual(expect.arrayContaining(['director', 'process']));
    expect(await completions('director:\n  |')).toEqual(expect.arrayContaining(['services', 'pools', 'timeouts']));
    expect(await completions('director:\n  services:\n    - tcp: 10.0.1.100:80\n      |')).toEqual(
      expect.arrayContaining(['scheduler', 'servers', 'persistence']),
    );
    expect(await completions('director:\n  services:\n    - tcp: 10.0.1.100:80\n      scheduler: |')).toEqual(
      expect.arrayContaining(['rr', 'wlc', 'mh']),
    );
  });

  it('shows what a key means', async () => {
    const { document, cursor } = documentOf('process:\n  log_le|vel: warn\n');
    const shown = await languageService().doHover(document, cursor);
    expect(JSON.stringify(shown?.contents)).toContain('lowest level that is logged');
  });

  it('marks mistakes, and none in the examples', async () => {
    // The messages are names of texts that an editor translates.
    expect(await mistakes('director:\n  servces: []\n')).toEqual(['DisallowedExtraPropWarning']);
    expect(await mistakes('process: { log_level: loud }\n')).toEqual(['enumWarning']);
    for (const name of ['minimal', 'director']) {
      expect(await mistakes(readFileSync(`examples/${name}.yaml`, 'utf8'))).toEqual([]);
    }
  });
});
