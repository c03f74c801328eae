// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { preferredType } from '../../../../src/core/api/media-types.ts';

const text = 'text/plain; version=0.0.4; charset=utf-8';
const open = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

it.each([
  [
    'what Prometheus 2.42 asks',
    'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    open,
  ],
  [
    'a Prometheus that asks how names are escaped',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    open,
  ],
  ['an older Prometheus', 'application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', text],
  ['what curl asks', '*/*', text],
  ['no field', undefined, text],
  ['the type alone', 'application/openmetrics-text', open],
  ['another charset', 'application/openmetrics-text; charset=iso-8859-1', open],
  ['capitals and quotes', 'Application/OpenMetrics-Text; Version="1.0.0"', open],
  ['a range', 'application/*', open],
  ['the exact one before a range', 'text/*, application/openmetrics-text;version=1.0.0', open],
  ['a refused type', 'application/openmetrics-text;q=0, */*;q=0.1', text],
  ['a version that nobody offers', 'application/openmetrics-text; version=9', text],
  ['nothing that is offered', 'image/png', text],
  ['nonsense', ';;,,q=x;/', text],
  ['a quality that is no number', 'application/openmetrics-text;q=much, text/plain;q=0.1', text],
])('%s', (_, accept, expected) => {
  expect(preferredType([text, open], accept)).toBe(expected);
});
