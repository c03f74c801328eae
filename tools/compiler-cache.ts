// SPDX-License-Identifier: Apache-2.0
// With ccache, sources that any clone has compiled before are not compiled again. The cache is outside of the clones:
// ~/.cache/ccache or $CCACHE_DIR. Without ccache everything is compiled. native/CMakeLists.txt does the same for CMake.
import { spawnSync } from 'node:child_process';
import { projectRoot } from './command.ts';

/** Environment variables for a build by make, which takes the compiler from CXX. */
export function cachedCompiler(): Record<string, string> {
  if (spawnSync('ccache', ['--version']).status !== 0) return {};
  return { CXX: `ccache ${process.env.CXX ?? 'g++'}`, CCACHE_BASEDIR: projectRoot, CCACHE_NOHASHDIR: '1' };
}
