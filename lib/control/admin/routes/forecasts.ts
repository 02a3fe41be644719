// The load to come, and what operators and programs tell of it.

import * as z from 'zod';
import {
  BackendDetail,
  EventPage,
  EventView,
  ForecastPage,
  NewEvent,
  speakable,
} from '../forecast-schemas.ts';
import { route } from '../route.ts';
import { Changed } from '../schemas.ts';
import {
  changedExample,
  eventExample,
  forecastDetailExample,
  forecastExample,
  trainingExample,
} from './examples.ts';
import { backendOf, withRevision } from './state.ts';

const DEFAULT_LENGTH_MS = 60_000;

export const forecasts = [
  route({
    method: 'GET',
    path: '/v1/forecasts',
    tag: 'forecasts',
    summary: 'Load, forecasts, gates and their quality, by cluster',
    query: z.strictObject({ cluster: z.string().optional() }),
    answers: {
      200: {
        says: 'The forecasts',
        schema: ForecastPage,
        example: { revision: 12, items: [forecastExample], training: trainingExample },
      },
    },
    handle({ actions, query }) {
      const items = actions.forecasts.report(query.cluster).map(cluster => ({
        ...cluster,
        backends: cluster.backends.map(({ seconds: _, reason: __, ...backend }) => backend),
      }));
      return withRevision({ items: speakable(items), training: actions.forecasts.training() }, actions);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/forecasts/{cluster}/{id}',
    tag: 'forecasts',
    summary: 'One backend’s forecast, with its last minute second by second',
    answers: {
      200: {
        says: 'The forecast; null when its cluster has none',
        schema: z.object({ revision: z.int(), forecast: BackendDetail.nullable() }),
        example: { revision: 12, forecast: forecastDetailExample },
      },
    },
    handle({ actions, params: { cluster, id } }) {
      backendOf(actions, cluster!, id!);
      const found = actions.forecasts.report(cluster!)[0]!.backends.find(backend => backend.id === id);
      return withRevision({ forecast: speakable(found ?? null) }, actions);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/events',
    tag: 'forecasts',
    summary: 'Events that hold or are to come within the hour, configured and announced',
    details: 'Announced ones are listed however far away they are.',
    answers: {
      200: { says: 'The events', schema: EventPage, example: { revision: 12, items: [eventExample] } },
    },
    handle: ({ actions }) => withRevision({ items: actions.forecasts.events() }, actions),
  }),
  route({
    method: 'POST',
    path: '/v1/clusters/{cluster}/events',
    tag: 'forecasts',
    summary: 'Announce an event',
    details:
      'Forecasts of the backends it concerns rise before it begins, and new work goes elsewhere. It survives a restart and is forgotten when over.',
    body: {
      schema: NewEvent,
      example: { name: 'reindex', factor: 4, backends: ['web-1'], in: '10s', for: '30s' },
    },
    answers: {
      201: {
        says: 'It is known from now on',
        schema: EventView,
        example: { revision: 13, event: eventExample },
      },
    },
    handle({ actions, params: { cluster }, body }) {
      for (const id of body.backends ?? []) backendOf(actions, cluster!, id);
      const startMs = actions.wallMs() + (body.in ?? 0);
      const event = actions.forecasts.announce({
        ...{ cluster: cluster!, name: body.name, factor: body.factor, backends: body.backends ?? null },
        ...{ startMs, endMs: startMs + (body.for ?? DEFAULT_LENGTH_MS) },
      });
      return withRevision({ event }, actions, 201);
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/events/{id}',
    tag: 'forecasts',
    summary: 'Cancel an announced event',
    details: 'Configured ones are taken out of the configuration.',
    answers: { 200: { says: 'It is forgotten', schema: Changed, example: changedExample } },
    handle({ actions, params: { id } }) {
      actions.forecasts.cancel(id!);
      return withRevision({}, actions);
    },
  }),
];
