// Loads http-proxy, in such a way that it does not warn about a function it should not use.
//
// It keeps a reference to util._extend as it is loaded and calls it for every connection, which prints DEP0060 once.
// Object.assign does the same; it stands in while the module loads, and nobody else can see it.
//
// Loaded with its importer, at a worker's start: at the first WebSocket there may be no descriptor left to read it with.

import { createRequire } from 'node:module';
import type HttpProxy from 'http-proxy';

function load(): typeof HttpProxy {
  const require = createRequire(import.meta.url);
  const util = require('node:util') as { _extend: unknown };
  const original = util._extend;
  util._extend = Object.assign;
  try {
    return require('http-proxy') as typeof HttpProxy;
  } finally {
    util._extend = original;
  }
}

export const httpProxy = load();
