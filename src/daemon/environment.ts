// SPDX-License-Identifier: Apache-2.0
// What the processes of `sluice run` get of the environment that root has started it with. Everything else stays with the
// supervisor: a shell of root may hold passwords and tokens.

/** Each variable, with what it is for. */
const handedDown: Readonly<Record<string, string>> = {
  PATH: 'where setpriv(1) and nft(8) are',
  LD_LIBRARY_PATH: "the libraries of a Node that is not the distribution's",
  LANG: 'messages of the C library',
  LC_ALL: 'as LANG',
  TZ: 'the time of day in logs',
  NO_COLOR: 'logs on a terminal',
  NODE_OPTIONS: 'limits of the memory, debuggers',
  NODE_V8_COVERAGE: 'which lines tests reach',
  SLUICE_ADDON: 'another build of the native module',
  LD_PRELOAD: "the runtime of that build's sanitizer",
  ASAN_OPTIONS: 'how that sanitizer works',
};

export function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = Object.keys(handedDown);
  return Object.fromEntries(
    names.flatMap(name => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}
