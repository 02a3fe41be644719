// `leaseway unfreeze`: lifts a freeze, or all.

import type { Command } from 'commander';
import { addHold } from '../hold.ts';
import type { CommandContext } from '../main.ts';

export const addUnfreeze = (program: Command, context: CommandContext): Command =>
  addHold(program, context, 'unfreeze', 'let sessions move again, of one cluster or of all');
