// SPDX-License-Identifier: Apache-2.0
// Which of several media types a client is sent, by its Accept field (RFC 9110 12.5.1).

interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** 0 to 1; 0: not acceptable. */
  readonly quality: number;
}

/**
 * The offered type that the client likes most: of equal ones the one that it names most exactly, then the one that is
 * offered first. The first one, too, when the client likes none: an answer of another type is of more use than a refusal.
 */
export function preferredType(offered: readonly string[], accept = '*/*'): string {
  const ranges = accept.split(',').map(rangeOf);
  const [best = ''] = offered
    .map(type => ({ type, ...weightOf(rangeOf(type), ranges) }))
    .sort((a, b) => b.quality - a.quality || b.exactness - a.exactness)
    .map(({ type }) => type);
  return best;
}

/** By the range that names the type most exactly. */
function weightOf(offered: Range, ranges: readonly Range[]): { quality: number; exactness: number } {
  const [first] = ranges
    .map(range => ({ quality: range.quality, exactness: exactness(range, offered) }))
    .filter(range => range.exactness > 0)
    .sort((a, b) => b.exactness - a.exactness);
  return first ?? { quality: 0, exactness: 0 };
}

/** 0 for a range that does not have the type. A charset narrows nothing, as all text is UTF-8; nor `escaping`, as all names are plain. */
function exactness({ type, parameters }: Range, offered: Range): number {
  if (type === '*/*') return 1;
  if (type === `${offered.type.split('/')[0]}/*`) return 2;
  const narrowing = [...parameters].filter(([name]) => name !== 'charset' && name !== 'escaping');
  const fits = type === offered.type && narrowing.every(([name, value]) => offered.parameters.get(name) === value);
  return fits ? 3 + narrowing.length : 0;
}

function rangeOf(text: string): Range {
  const [type = '', ...words] = text.split(';').map(word => word.trim().toLowerCase());
  const parameters = new Map(
    words.map(word => {
      const [name = '', value = ''] = word.split('=');
      return [name.trim(), value.trim().replace(/^"(.*)"$/, '$1')];
    }),
  );
  const quality = Number(parameters.get('q') ?? 1);
  parameters.delete('q');
  return { type, parameters, quality: Number.isNaN(quality) ? 0 : quality };
}
