// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenFloors, floors, roomOf } from '../../../scripts/native-floors.ts';
import { projectRoot } from '../../../tools/command.ts';
import { filesUnder } from '../../../tools/files.ts';

const complaints = (path: string, text: string): string[] => brokenFloors({ path, text });

describe('the floors of the native code', () => {
  it('are kept by every source', () => {
    const sources = filesUnder('native', path => /\.(h|cc)$/.test(path));
    const broken = sources.flatMap(path =>
      complaints(path, readFileSync(join(projectRoot, path), 'utf8')).map(complaint => `${path}: ${complaint}`),
    );
    expect(sources.length).toBeGreaterThan(100);
    expect(broken).toEqual([]);
  });

  it('have only rooms that exist', () => {
    for (const room of floors.flat())
      expect(
        filesUnder(`native/${room}`, () => true),
        room,
      ).not.toEqual([]);
  });

  it('let a room include itself and what is below it', () => {
    const text = '#include "director/handshake/syn_proxy.h"\n#include "wire/tcp.h"\n#include <span>\n';
    expect(complaints('native/director/handshake/syn_proxy.cc', text)).toEqual([]);
  });

  it('let no room include what is above it', () => {
    expect(complaints('native/director/flows/flow_table.cc', '#include "director/stages/director.h"\n')).toEqual([
      'includes "director/stages/director.h": director/stages is not below director/flows (scripts/native-floors.ts)',
    ]);
  });

  it('let no room include its neighbour', () => {
    expect(complaints('native/wire/udp.h', '#include "core/time.h"\n')).toHaveLength(1);
  });

  it.each(['sys/mman.h', 'unistd.h', 'linux/if_packet.h', 'netinet/in.h', 'fstream', 'chrono', 'thread'])(
    'let no pure room include <%s>',
    header => {
      for (const path of ['native/core/time.h', 'native/wire/udp.h', 'native/director/stages/director.cc']) {
        expect(complaints(path, `#include <${header}>\n`)).toHaveLength(1);
      }
      expect(complaints('native/memory/mapped_memory.cc', `#include <${header}>\n`)).toEqual([]);
    },
  );

  it('want every folder to be a room', () => {
    expect(complaints('native/elsewhere/new.h', '')).toEqual([
      'is in no room: add its folder to the floors in scripts/native-floors.ts',
    ]);
    expect(roomOf('director/services/schedulers/rr.cc')).toBe('director/services');
  });
});
