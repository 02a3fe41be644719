// The TCP check: a connection that opens is healthy.

import { dialTcp, type Target } from './dial.ts';

/** Resolves with the detail; throws when it does not open. */
export async function checkTcp(target: Target, signal: AbortSignal): Promise<string> {
  const socket = await dialTcp(target, signal);
  socket.destroy();
  return 'connected';
}
