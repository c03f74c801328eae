// SPDX-License-Identifier: Apache-2.0
// The section `process` of the document: how the processes of `sluice run` behave, whatever they forward. A flag on the
// command line overrides the setting of the document.
import Type, { type Static } from 'typebox';
import { canonicalJson, sha256 } from '../core/config/canonical.ts';
import type { Section } from '../core/config/section.ts';
import { UsageError } from '../core/errors.ts';
import { type LogLevel, logLevels } from '../core/logger.ts';

export interface ProcessSettings {
  readonly logLevel: LogLevel;
  /** The path of the Unix socket on which questions are answered (`sluice status`). */
  readonly socket: string;
  /** The user of processes that need no privilege. */
  readonly user: string;
}

export interface ProcessChange {
  readonly setting: keyof ProcessSettings;
  readonly before: string;
  readonly after: string;
}

export const defaultProcessSettings: ProcessSettings = {
  logLevel: 'info',
  socket: '/run/sluice.sock',
  user: 'nobody',
};

/** The settings by their keys in the document. */
const keys = { log_level: 'logLevel', socket: 'socket', user: 'user' } as const;

// sun_path of unix(7), without the zero at its end.
const longestSocketPath = 107;

const processSchema = Type.Object(
  {
    log_level: Type.Optional(
      Type.Enum([...logLevels], {
        description: 'The lowest level that is logged. `sluice run --log-level` overrides it.',
        default: defaultProcessSettings.logLevel,
      }),
    ),
    socket: Type.Optional(
      Type.String({
        description:
          'The Unix socket that answers questions, such as `sluice status`. `sluice run --socket` overrides it.',
        pattern: '^/',
        maxLength: longestSocketPath,
        form: 'an absolute path',
        default: defaultProcessSettings.socket,
        examples: ['/run/sluice.sock'],
      }),
    ),
    user: Type.Optional(
      Type.String({
        description: 'The user of all processes except the supervisor. `sluice run --user` overrides it.',
        pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,31}$',
        form: 'the name of a user',
        default: defaultProcessSettings.user,
        examples: ['nobody'],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'The processes of `sluice run`.',
    elsewhere: {
      workers: 'it is a setting of the director: director.workers',
      stealing: 'it is a setting of the director: director.stealing',
    },
  },
);

type ProcessDocument = Static<typeof processSchema>;

export const processSection: Section<'process', ProcessSettings, ProcessChange> = {
  key: 'process',
  schema: processSchema,
  empty: defaultProcessSettings,
  read(reader) {
    const written = Object.entries(keys)
      .filter(([key]) => reader.sound([key]))
      .map(([key, setting]) => [setting, reader.value<string>([key])]);
    return { ...defaultProcessSettings, ...(Object.fromEntries(written) as Partial<ProcessSettings>) };
  },
  write(settings): ProcessDocument | undefined {
    const written = Object.entries(keys)
      .filter(([, setting]) => settings[setting] !== defaultProcessSettings[setting])
      .map(([key, setting]) => [key, settings[setting]]);
    return written.length === 0 ? undefined : Object.fromEntries(written);
  },
  digest: settings => sha256(canonicalJson(settings)),
  compare: (before, after) =>
    Object.values(keys)
      .filter(setting => before[setting] !== after[setting])
      .map(setting => ({ setting, before: before[setting], after: after[setting] })),
  describe: ({ setting, before, after }) => `~ process ${setting}: ${before} → ${after}`,
};

/** Throws a UsageError when a reload changes what processes that run already depend on. */
export function checkSettings(before: ProcessSettings, after: ProcessSettings): void {
  const [changed] = processSection.compare(before, after);
  if (changed === undefined) return;
  throw new UsageError(`the setting process.${keyOf(changed.setting)} cannot be changed while sluice runs`, {
    value: changed.after,
    remedy: 'restart sluice, or set it back',
  });
}

function keyOf(setting: keyof ProcessSettings): string {
  return Object.entries(keys).find(([, each]) => each === setting)?.[0] ?? setting;
}

/** What the command line says; a flag that was not given is undefined. */
export type ProcessFlags = { readonly [Setting in keyof ProcessSettings]?: ProcessSettings[Setting] | undefined };

/** The settings of the document, overridden by the flags. */
export function settingsOf(snapshot: { readonly process: ProcessSettings }, flags: ProcessFlags): ProcessSettings {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { ...snapshot.process, ...(Object.fromEntries(given) as Partial<ProcessSettings>) };
}
