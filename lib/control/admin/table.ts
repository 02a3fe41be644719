// The whole API, in the order in which people are shown it.

import type { AdminRoute } from './route.ts';
import { backends } from './routes/backends.ts';
import { documents } from './routes/documents.ts';
import { forecasts } from './routes/forecasts.ts';
import { probes } from './routes/probes.ts';
import { processRoutes } from './routes/process.ts';
import { sessions } from './routes/sessions.ts';
import { state } from './routes/state.ts';

export const ROUTES: readonly AdminRoute[] = [
  ...probes,
  ...state,
  ...forecasts,
  ...sessions,
  ...backends,
  ...processRoutes,
  ...documents,
];
