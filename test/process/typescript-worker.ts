// SPDX-License-Identifier: Apache-2.0
// Node 20 does not apply `--import=tsx` to worker threads: this starts one that registers tsx itself.
import { Worker, type WorkerOptions } from 'node:worker_threads';

export function typescriptWorker(program: string, options: WorkerOptions): Worker {
  const tsx = import.meta.resolve('tsx/esm/api');
  const bootstrap = `import(${JSON.stringify(tsx)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(program)});
  });`;
  return new Worker(bootstrap, { ...options, eval: true, execArgv: [] });
}
