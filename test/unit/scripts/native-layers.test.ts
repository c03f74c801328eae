// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenLayers, folderOf, layers } from '../../../scripts/native-layers.ts';
import { projectRoot } from '../../../tools/command.ts';
import { filesUnder } from '../../../tools/files.ts';

const complaints = (path: string, text: string): string[] => brokenLayers({ path, text });

describe('the layers of the native code', () => {
  it('are respected by every source', () => {
    const sources = filesUnder('native', path => /\.(h|cc)$/.test(path));
    const broken = sources.flatMap(path =>
      complaints(path, readFileSync(join(projectRoot, path), 'utf8')).map(complaint => `${path}: ${complaint}`),
    );
    expect(sources.length).toBeGreaterThan(100);
    expect(broken).toEqual([]);
  });

  it('have only folders that exist', () => {
    for (const folder of layers.flat())
      expect(
        filesUnder(`native/${folder}`, () => true),
        folder,
      ).not.toEqual([]);
  });

  it('let a folder include its own headers and those of lower layers', () => {
    const text = '#include "director/handshake/syn_proxy.h"\n#include "wire/tcp.h"\n#include <span>\n';
    expect(complaints('native/director/handshake/syn_proxy.cc', text)).toEqual([]);
  });

  it('let no folder include a higher layer', () => {
    expect(complaints('native/director/flows/flow_table.cc', '#include "director/stages/director.h"\n')).toEqual([
      'includes "director/stages/director.h": director/stages is not below director/flows (scripts/native-layers.ts)',
    ]);
  });

  it('let no folder include another one of its layer', () => {
    expect(complaints('native/wire/udp.h', '#include "core/time.h"\n')).toHaveLength(1);
  });

  it.each(['sys/mman.h', 'unistd.h', 'linux/if_packet.h', 'netinet/in.h', 'fstream', 'chrono', 'thread'])(
    'let no pure folder include <%s>',
    header => {
      for (const path of ['native/core/time.h', 'native/wire/udp.h', 'native/director/stages/director.cc']) {
        expect(complaints(path, `#include <${header}>\n`)).toHaveLength(1);
      }
      expect(complaints('native/memory/mapped_memory.cc', `#include <${header}>\n`)).toEqual([]);
    },
  );

  it('must have every folder', () => {
    expect(complaints('native/elsewhere/new.h', '')).toEqual([
      'its folder is in no layer: add it to the layers in scripts/native-layers.ts',
    ]);
    expect(folderOf('director/services/schedulers/rr.cc')).toBe('director/services');
  });
});
