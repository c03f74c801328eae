// SPDX-License-Identifier: Apache-2.0
// ccache finds what was compiled before, by any clone in any folder: its cache lies outside of them, ~/.cache/ccache or
// $CCACHE_DIR. Without ccache everything is compiled. CMake's half of this is in native/CMakeLists.txt.
import { spawnSync } from 'node:child_process';
import { projectRoot } from './command.ts';

/** For a build by make, whose compiler is in the environment. */
export function cachedCompiler(): Record<string, string> {
  if (spawnSync('ccache', ['--version']).status !== 0) return {};
  return { CXX: `ccache ${process.env.CXX ?? 'g++'}`, CCACHE_BASEDIR: projectRoot, CCACHE_NOHASHDIR: '1' };
}
