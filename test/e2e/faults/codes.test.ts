// No code of core/errors.ts without a fault test that produces it, or a reason why none can.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ERRORS } from '../../../lib/core/errors.ts';
import { PRODUCED } from './codes.ts';

t.same(Object.keys(PRODUCED).sort(), Object.keys(ERRORS).sort(), 'every code is in the table');

const files = new Set(Object.values(PRODUCED).filter(where => typeof where === 'string'));
for (const file of files) {
  const source = readFileSync(join(import.meta.dirname, file), 'utf8');
  t.match(source, /producedHere\(t, import\.meta\.filename, stage\.lines\(\)\)/, `${file} asserts its codes`);
}
