// What a supervisor is told when it starts, and what its end says.

import type { ProxyConfig } from '../config/proxy.ts';
import type { ListeningSocket } from '../orders/messages.ts';

export interface SupervisorOptions {
  readonly configPath: string;
  /** Instead of the configured number. */
  readonly workers?: number;
  /** Replace the leaseway that holds the state directory, without its help. */
  readonly takeover: boolean;
  /** Process of the example backends, ended with us. */
  readonly examplesPid?: number;
  /** Called once everything serves. */
  onServing?(sockets: readonly ListeningSocket[], admin: ListeningSocket | null, config: ProxyConfig): void;
}

/** The example backends of a demonstration, for one. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It is gone already.
  }
}
