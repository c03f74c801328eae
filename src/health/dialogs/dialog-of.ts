// SPDX-License-Identifier: Apache-2.0
// The dialog of each probe that is one.
import type { Dialog } from '../dialog.ts';
import type { Probe, ProbeOf, ProbeType } from '../model.ts';
import type { Destination } from '../probe.ts';
import { dnsDialog } from './dns.ts';
import { httpDialog } from './http.ts';
import { mysqlDialog } from './mysql.ts';
import { postgresqlDialog } from './postgresql.ts';
import { redisDialog } from './redis.ts';
import { smtpDialog } from './smtp.ts';
import { udpDialog } from './udp.ts';

const dialogs = {
  http: httpDialog,
  udp: udpDialog,
  dns: dnsDialog,
  smtp: smtpDialog,
  redis: redisDialog,
  mysql: mysqlDialog,
  postgresql: postgresqlDialog,
} satisfies { [Type in ProbeType]?: (probe: ProbeOf<Type>, to: Destination) => Dialog };

export type DialogProbe = ProbeOf<keyof typeof dialogs>;

export function isDialogProbe(probe: Probe): probe is DialogProbe {
  return Object.hasOwn(dialogs, probe.type);
}

export function dialogOf(probe: DialogProbe, to: Destination): Dialog {
  // Each type's function takes the probe of that type, which TypeScript cannot see through the table.
  return (dialogs[probe.type] as (probe: DialogProbe, to: Destination) => Dialog)(probe, to);
}
