// `leaseway schema`: the JSON Schema that lets an editor complete and check the YAML.

import { Argument, type Command } from 'commander';
import type { CommandContext } from '../main.ts';

export const addSchema = (program: Command, { io }: CommandContext): Command =>
  program
    .command('schema')
    .description('print the JSON Schema of leaseway.yaml or of a cluster file')
    .addArgument(new Argument('[of]').choices(['root', 'cluster']).default('root'))
    .action(async (of: string) => {
      const { clusterSchema, rootSchema, schemaText } = await import('../../config/json-schema.ts');
      io.out.write(schemaText(of === 'cluster' ? clusterSchema() : rootSchema()));
    });
