// SPDX-License-Identifier: Apache-2.0
// Loads the native module. Each capability describes its part of the module in its own file of this folder and adds it
// to `Addon` and to `addonShape` here: an interface cannot be looked at when the program runs, the shape can.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AddonError } from '../core/errors.ts';
import { packageRoot } from '../core/package-root.ts';
import type { CapturesAddon } from './captures.ts';
import type { ConfineAddon } from './confine.ts';
import type { DecapAddon } from './decap.ts';
import type { DirectorAddon } from './director.ts';
import type { ListeningSocketAddon } from './listening-socket.ts';
import type { LiveDirectorAddon } from './live-director.ts';
import type { ProberAddon } from './prober.ts';
import type { ServiceRowsAddon } from './service-rows.ts';
import type { StatisticsAddon } from './statistics-page.ts';
import type { WireAddon } from './wire.ts';

/** What the native module exports. */
export interface Addon
  extends CapturesAddon,
    ConfineAddon,
    ListeningSocketAddon,
    LiveDirectorAddon,
    DecapAddon,
    DirectorAddon,
    ProberAddon,
    ServiceRowsAddon,
    StatisticsAddon,
    WireAddon {
  /** The Node-API version that the module was built for. */
  readonly napiVersion: number;
}

/** What an addon of this version exports, so that one of another version is refused with the names that it lacks. */
export const addonShape: Readonly<Record<keyof Addon, 'function' | 'number' | 'object' | 'string'>> = {
  napiVersion: 'number',
  CaptureReader: 'function',
  CaptureWriter: 'function',
  confine: 'function',
  connectionStates: 'object',
  keepCapabilitiesFromPrograms: 'function',
  keepFilesFromPrograms: 'function',
  stopBlocking: 'function',
  LiveDirector: 'function',
  Decap: 'function',
  Director: 'function',
  CrashState: 'function',
  cleanHost: 'function',
  describe: 'function',
  flowLayout: 'string',
  crashStateSockets: 'function',
  listenUnix: 'function',
  mostMarkRules: 'number',
  prepareStealing: 'function',
  Prober: 'function',
  reasons: 'object',
  serviceRowsLayout: 'object',
  statisticsLayout: 'object',
  StatisticsWriter: 'function',
  tellServiceManager: 'function',
};

const builtAddon = join(packageRoot, 'build/Release/sluice.node');
/** What to do where a native part is not there. */
export const rebuild =
  'run `npm run build` in a checkout, `npm rebuild sluice --ignore-scripts=false` where it is installed';

/**
 * Where the native module is looked for: the path in the environment variable SLUICE_ADDON, which is how one suite runs
 * on release and sanitizer builds; otherwise where node-gyp leaves it.
 */
export function addonPath(): string {
  const chosen = process.env.SLUICE_ADDON;
  return chosen === undefined || chosen === '' ? builtAddon : resolve(chosen);
}

let loaded: { readonly path: string; readonly addon: Addon } | undefined;

/** The native module, loaded once a thread. Throws an AddonError that names the path and what to do. */
export function loadAddon(): Addon {
  const path = addonPath();
  if (loaded?.path !== path) loaded = { path, addon: openAddon(path) };
  return loaded.addon;
}

function openAddon(path: string): Addon {
  const remedy = path === builtAddon ? rebuild : `correct or unset SLUICE_ADDON, or ${rebuild}`;
  if (!existsSync(path)) {
    throw new AddonError('SLUICE_ADDON_MISSING', 'the native module is not there', { value: path, remedy });
  }
  const module: { exports: Record<string, unknown> } = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AddonError('SLUICE_ADDON_UNLOADABLE', `the native module cannot be loaded (${reason})`, {
      value: path,
      remedy,
      cause,
    });
  }
  const missing = Object.entries(addonShape).filter(([name, type]) => typeof module.exports[name] !== type);
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(', ');
    throw new AddonError('SLUICE_ADDON_OUTDATED', `the native module lacks ${names}`, { value: path, remedy });
  }
  return module.exports as unknown as Addon;
}
