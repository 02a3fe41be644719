// Routes: keys that contradict or do nothing together.

import { quoted } from '../describe.ts';
import type { Draft } from '../draft.ts';
import { didYouMean } from '../near.ts';
import { error, type Finding, type Path, warning } from '../problem.ts';
import type { RouteConfig } from '../proxy.ts';

/** The proxy's own to send (RFC 9110, section 7.6.1 and framing). */
const RESERVED = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export function* checkRoutes(draft: Draft): Generator<Finding> {
  for (const [i, route] of draft.routes.entries()) {
    if (route === undefined) continue;
    const path: Path = ['routes', i];
    yield* methods(route, path);
    yield* split(route, path);
    yield* rewrite(route, path);
    yield* answer(route, path);
    yield* headers(route, path);
    yield* withoutCluster(route, path, draft);
  }
}

function* methods(route: RouteConfig, path: Path): Generator<Finding> {
  for (const [j, method] of route.match.methods.entries())
    if (method === 'CONNECT' || method === 'TRACE')
      yield error([...path, 'match', 'methods', j], {
        what: `${method} is never served`,
        expected: 'another method',
      });
}

function* split(route: RouteConfig, path: Path): Generator<Finding> {
  const shares = route.split ?? [];
  for (const [j, part] of shares.entries()) {
    const other = shares.findIndex(s => s.cluster === part.cluster);
    if (other !== j)
      yield error([...path, 'split', j, 'cluster'], {
        what: `split[${other}] is cluster ${quoted(part.cluster)} too`,
        expected: 'each cluster once',
      });
  }
  if (shares.length > 0 && shares.every(s => s.weight === 0))
    yield error([...path, 'split'], {
      atKey: true,
      what: 'every weight is 0: no cluster takes a request',
      expected: 'a weight above 0',
    });
}

function* rewrite(route: RouteConfig, path: Path): Generator<Finding> {
  const own = route.rewrite;
  if (own === undefined) return;
  const at = [...path, 'rewrite'];
  if (own.prefix !== undefined && own.regex !== undefined)
    yield error([...at, 'regex'], { atKey: true, expected: 'either prefix or regex', found: 'both' });
  else if (own.prefix !== undefined && route.match.path?.prefix === undefined)
    yield error([...at, 'prefix'], {
      what: 'there is no matched prefix to put this in place of',
      expected: 'a path prefix in match.path',
      hint: 'write match: { path: /old }',
    });
  if (own.regex !== undefined && own.to === undefined)
    yield error([...at, 'regex'], {
      atKey: true,
      what: 'says what to replace but not by what',
      expected: '"to" with the new path',
    });
  if (own.to !== undefined && own.regex === undefined)
    yield error([...at, 'to'], {
      atKey: true,
      what: 'says by what to replace but not what',
      expected: '"regex", or "prefix" alone',
    });
  if (own.to !== undefined && !own.to.startsWith('/') && !own.to.startsWith('$'))
    yield error([...at, 'to'], { expected: 'a path that begins with /', found: quoted(own.to) });
}

function* answer(route: RouteConfig, path: Path): Generator<Finding> {
  const { redirect, respond } = route;
  if (redirect !== undefined) {
    const at = [...path, 'redirect', 'to'];
    const known = ['host', 'path', 'query'];
    for (const [piece, name] of redirect.to.matchAll(/\{([^}]*)\}/g))
      if (!known.includes(name!))
        yield error(at, {
          what: `${piece} is not filled in`,
          expected: '{host}, {path} or {query}',
          hint: didYouMean(name!, known),
        });
    if (!/^(https?:\/\/|\/)/.test(redirect.to))
      yield error(at, {
        expected: 'a URL such as https://{host}{path}, or a path',
        found: quoted(redirect.to),
      });
  }
  if (respond !== undefined && respond.body !== '' && [204, 205, 304].includes(respond.status))
    yield error([...path, 'respond', 'body'], {
      what: `an answer ${respond.status} has no body`,
      expected: 'no body, or status 200',
    });
  for (const name of Object.keys(respond?.headers ?? {}))
    if (RESERVED.has(name.toLowerCase())) yield reserved([...path, 'respond', 'headers', name], name);
}

function reserved(path: Path, name: string): Finding {
  const hint = name.toLowerCase() === 'host' ? 'use rewrite: { host: … }' : '';
  return error(path, {
    atKey: true,
    what: `${quoted(name)} is the proxy’s own to set`,
    expected: 'another header',
    hint,
  });
}

function* headers(route: RouteConfig, path: Path): Generator<Finding> {
  for (const kind of ['request_headers', 'response_headers'] as const) {
    const edit = route[kind];
    for (const verb of ['set', 'add'] as const)
      for (const name of Object.keys(edit[verb]))
        if (RESERVED.has(name.toLowerCase())) yield reserved([...path, kind, verb, name], name);
    for (const [j, name] of edit.remove.entries()) {
      if (RESERVED.has(name.toLowerCase())) yield reserved([...path, kind, 'remove', j], name);
      const set = Object.keys(edit.set).find(other => other.toLowerCase() === name.toLowerCase());
      if (set !== undefined)
        yield warning([...path, kind, 'remove', j], {
          what: `${quoted(name)} is set as well as removed`,
          expected: 'set alone: it replaces',
        });
    }
  }
}

function* withoutCluster(route: RouteConfig, path: Path, draft: Draft): Generator<Finding> {
  if (route.cluster !== undefined || route.split !== undefined) return;
  const kind = route.redirect === undefined ? 'respond' : 'redirect';
  for (const key of ['rewrite', 'timeout', 'websocket', 'request_headers', 'max_body'])
    if (draft.given([...path, key]))
      yield warning([...path, key], {
        atKey: true,
        what: `has no effect with ${kind}: nothing is forwarded`,
        expected: `no ${key} here`,
      });
}
