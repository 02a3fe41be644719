// The same schema as JSON Schema (draft 7), so that editors complete and check the YAML as it is written.

import * as z from 'zod';
import { Cluster } from './cluster.ts';
import { Root } from './proxy.ts';

type Json = Readonly<Record<string, unknown>>;

/** What may be written, not what it becomes: `30s`, not 30000. */
const asWritten = (schema: z.ZodType): Json =>
  z.toJSONSchema(schema, { io: 'input', target: 'draft-7', reused: 'inline', override: tidy });

/** Bounds that only say "fits a JavaScript number" tell a reader nothing. */
function tidy({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

/** Of `leaseway.yaml`. */
export const rootSchema = (): Json => ({ ...asWritten(Root), title: 'leaseway.yaml' });

/** Of a file in `clusters/`. */
export const clusterSchema = (): Json => ({ ...asWritten(Cluster), title: 'clusters/NAME.yaml' });

export const schemaText = (schema: Json): string => `${JSON.stringify(schema, null, 2)}\n`;
