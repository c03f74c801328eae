// SPDX-License-Identifier: Apache-2.0
// How programs are bundled. Node takes a quarter of a second of CPU time to find and read hundreds of small files.
import type { BuildOptions } from 'esbuild';

export const bundling = {
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  chunkNames: 'shared/[name]-[hash]',
  // They load their own files by name.
  external: ['pino', 'pino-pretty'],
  // The library yaml asks for Node's own modules by `require`, which a module does not have.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: 'warning',
} as const satisfies BuildOptions;
