// `leaseway freeze`: no session moves for load until it is lifted.

import type { Command } from 'commander';
import { addHold } from '../hold.ts';
import type { CommandContext } from '../main.ts';

export const addFreeze = (program: Command, context: CommandContext): Command =>
  addHold(program, context, 'freeze', 'move no session for load until unfreeze; failovers and drains go on');
