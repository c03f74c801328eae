// SPDX-License-Identifier: Apache-2.0
// Reads the files of a configuration: those that a person has named, and those that a document includes. Which file a
// document includes is decided by the document, and in `sluice run` asked by control, which an attacker may have taken.
// So of root's files only those can be included that are in the folder of the main file or below, are regular files, and
// have the name of a YAML file.
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SourceText } from '../core/config/includes.ts';
import { variablesOf } from '../core/config/variables.ts';
import { ConfigError, SystemError } from '../core/errors.ts';
import { type OpenedFile, readTextFile } from '../core/text-file.ts';
import { filesMatching } from './file-patterns.ts';
import { isBelow } from './paths.ts';
import { readSecret } from './secret-files.ts';
import type { ConfigurationSource, SourceFiles } from './source.ts';

export interface LocalFilesOptions {
  /** The files that a person has named. */
  readonly source: ConfigurationSource;
  /** The named files may be pipes, such as standard input. */
  readonly takesPipes?: boolean;
  /** The only folder with secrets; any folder unless given. */
  readonly secretsFolder?: string;
}

const standardInput = '/dev/stdin';

export class LocalFiles implements SourceFiles {
  readonly #options: LocalFilesOptions;
  readonly #named: readonly string[];
  /** Of the main file, by the name that the person used. */
  readonly #folder: string | undefined;

  constructor(options: LocalFilesOptions) {
    this.#options = options;
    const { config } = options.source;
    this.#named = Object.values(options.source);
    this.#folder = config === undefined || config === standardInput ? undefined : dirname(config);
  }

  async read(file: string): Promise<SourceText> {
    let identity = '';
    const identify = ({ stats: { dev, ino } }: OpenedFile): void => {
      identity = `${dev}:${ino}`;
    };
    const text = this.#named.includes(file)
      ? await readTextFile(file, { takesPipes: this.#options.takesPipes === true, admit: identify })
      : await this.#readIncluded(file, identify);
    return { text, identity, variables: variablesOf(text, process.env) };
  }

  async matches(pattern: string): Promise<readonly string[]> {
    this.#folderOf(pattern);
    return await filesMatching(pattern);
  }

  async checkSecret(file: string): Promise<void> {
    try {
      await readSecret(file, this.#options.secretsFolder);
    } catch (error) {
      // Whether root may read it cannot be told by another user.
      if (error instanceof SystemError && error.errnoName === 'EACCES' && process.getuid?.() !== 0) return;
      throw error;
    }
  }

  async #readIncluded(file: string, identify: (opened: OpenedFile) => void): Promise<string> {
    const folder = await this.#realFolder(this.#folderOf(file));
    if (!isYaml(file)) throw noYaml(file);
    return await readTextFile(file, {
      admit: opened => {
        if (!isBelow(folder, opened.path)) throw outside(opened.path, folder);
        if (!isYaml(opened.path)) throw noYaml(opened.path);
        identify(opened);
      },
    });
  }

  async #realFolder(named: string): Promise<string> {
    try {
      return await realpath(named);
    } catch (error) {
      throw SystemError.from(error, 'cannot find the folder', { place: { file: named } });
    }
  }

  /** The folder of the main file, for a path in it. */
  #folderOf(path: string): string {
    const folder = this.#folder;
    if (folder === undefined) {
      throw new ConfigError('SLUICE_CONFIG_INVALID', 'standard input has no folder to include files from', {
        remedy: 'name the file of the document',
      });
    }
    if (!isBelow(folder, path)) throw outside(path, folder);
    return folder;
  }
}

function isYaml(file: string): boolean {
  return /\.ya?ml$/.test(file);
}

function noYaml(file: string): ConfigError {
  const problem = 'the name of an included file does not end in .yaml or .yml';
  return new ConfigError('SLUICE_CONFIG_INVALID', problem, {
    value: file,
    remedy: 'rename it, or write a narrower pattern',
  });
}

function outside(path: string, folder: string): ConfigError {
  return new ConfigError('SLUICE_CONFIG_INVALID', 'the file is not in the folder of the main file', {
    value: path,
    remedy: `put it into ${folder} or a folder below`,
  });
}
