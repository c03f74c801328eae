// SPDX-License-Identifier: Apache-2.0
// All routes that a running sluice answers, over all planes, and their description.
import { controlRoutes } from '../control/api.ts';
import { openApi, openApiRoute } from '../core/api/openapi.ts';
import { messageVersion, type RouteDefinition } from '../core/api/route.ts';
import { directorRoutes, ipvsadmRoute, maintenanceRoute } from '../director/api.ts';
import { healthRoutes } from '../health/api.ts';

export const apiRoutes: readonly RouteDefinition[] = [
  ...controlRoutes,
  ...directorRoutes,
  ipvsadmRoute,
  maintenanceRoute,
  ...healthRoutes,
  openApiRoute,
];

/** An OpenAPI 3.1 document. */
export const apiDescription = openApi(apiRoutes, {
  title: 'Sluice',
  version: messageVersion,
  description: 'What a running sluice answers on its Unix socket.',
});
