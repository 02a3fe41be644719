// `npm run schema`: writes the JSON Schemas that config/ ships; a test fails when they are stale.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSchema, rootSchema, schemaText } from './json-schema.ts';

const folder = join(import.meta.dirname, '..', '..', 'config');
writeFileSync(join(folder, 'leaseway.schema.json'), schemaText(rootSchema()));
writeFileSync(join(folder, 'cluster.schema.json'), schemaText(clusterSchema()));
