// SPDX-License-Identifier: Apache-2.0
// Completion for bash, which zsh runs too (bashcompinit): commands, their options and words, files, and the real servers
// and services of the running Sluice.
import { optionsOf, subcommandsOf, type UsageText } from './usage-text.ts';

export interface CompletedCommand {
  readonly name: string;
  readonly usage: UsageText;
}

/** What stands for the value of an option, or for a word, by its name in the usage. */
const kinds: Readonly<Record<string, string>> = {
  FILE: 'files',
  'FILE|ID': 'files',
  PATH: 'files',
  'SLUICE.yaml': 'files',
  'NET.yaml': 'files',
  DIR: 'folders',
  SERVER: 'servers',
  SERVICE: 'services',
};
/** By option, where the name in the usage says less. */
const kindsOfOptions: Readonly<Record<string, string>> = { '--service': 'services', '--server': 'servers' };

export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion of sluice for bash. For zsh: autoload -U compinit bashcompinit; compinit; bashcompinit

_sluice_servers() {
  sluice-ipvsadm -L -n 2>/dev/null | awk '$1 == "->" && $2 != "RemoteAddress:Port" { print $2 }' | sort -u
}

_sluice_services() {
  sluice-ipvsadm -L -n 2>/dev/null | awk '/^(TCP|UDP|SCTP) / { print $2 }' | sort -u
}

# compgen divides its list by IFS, as the shell divides what it prints.
_sluice_words() {
  COMPREPLY=($(compgen -W "$1" -- "$2"))
}

_sluice_paths() {
  local IFS=$'\n'
  COMPREPLY=($(compgen "$1" -- "$2"))
}

# Colons divide words for bash: only what follows the last one is replaced.
_sluice_with_colons() {
  _sluice_words "$1" "$2"
  case $COMP_WORDBREAKS$2 in
    *:*:*) COMPREPLY=("\${COMPREPLY[@]#"\${2%"\${2##*:}"}"}") ;;
  esac
}

_sluice_value() {
  case $1 in
    files) _sluice_paths -f "$2" ;;
    folders) _sluice_paths -d "$2" ;;
    servers) _sluice_with_colons "$(_sluice_servers)" "$2" ;;
    services) _sluice_with_colons "$(_sluice_services)" "$2" ;;
  esac
}

_sluice() {
  local line=\${COMP_LINE:0:$COMP_POINT} word before
  local -a words
  case \${ZSH_VERSION:-} in
    '') read -r -a words <<<"$line" ;;
    *) words=($line) ;;
  esac
  case $line in
    *[[:space:]]) words+=("") ;;
  esac
  word=\${words[-1]} before=\${words[-2]}
  COMPREPLY=()
  if ((\${#words[@]} == 2)); then
    _sluice_words '${[...commands.map(({ name }) => name), '--help', '--version'].join(' ')}' "$word"
    return
  fi
  case \${words[1]} in
${commands.map(caseOf).join('\n')}
  esac
}

complete -o filenames -F _sluice sluice
`;
}

function caseOf({ name, usage }: CompletedCommand): string {
  const options = optionsOf(usage);
  const withValue = options.filter(({ value }) => value !== undefined);
  const values = withValue.map(({ names, value = '' }) => {
    const kind = names.map(option => kindsOfOptions[option]).find(Boolean) ?? kinds[value] ?? 'nothing';
    return `        ${names.join(' | ')}) _sluice_value ${kind} "$word"; return ;;`;
  });
  const words = [...options.flatMap(({ names }) => names.filter(each => each.startsWith('--'))), '--help'];
  const subcommands = subcommandsOf(usage);
  return [
    `    ${name})`,
    ...(values.length === 0 ? [] : ['      case $before in', ...values, '      esac']),
    '      if [[ $word == -* ]]; then',
    `        _sluice_words '${words.join(' ')}' "$word"`,
    ...(subcommands.length === 0
      ? []
      : ['      elif ((${#words[@]} == 3)); then', `        _sluice_words '${subcommands.join(' ')}' "$word"`]),
    ...subcommandCases(usage),
    '      else',
    `        _sluice_value ${wordKind(usage)} "$word"`,
    '      fi',
    '      ;;',
  ].join('\n');
}

/** Words behind a subcommand: `explain server SERVER`. */
function subcommandCases({ synopses }: UsageText): string[] {
  return synopses.flatMap(synopsis => {
    const [, , subcommand = '', word = ''] = synopsis.split(' ');
    const kind = kinds[word];
    if (!/^[a-z]+$/.test(subcommand) || kind === undefined) return [];
    return [`      elif [[ \${words[2]} == ${subcommand} ]]; then`, `        _sluice_value ${kind} "$word"`];
  });
}

/** The kind of the word behind the command; `nothing` where it takes none. */
function wordKind({ synopses }: UsageText): string {
  const words = synopses.map(synopsis => (synopsis.split(' ')[2] ?? '').replace(/^\[|\]$/g, ''));
  return words.map(word => kinds[word]).find(Boolean) ?? 'nothing';
}
