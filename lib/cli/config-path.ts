// Which configuration is meant, and what it says about reaching its admin API.

import { existsSync } from 'node:fs';
import { defaultTokenFile } from '../control/admin/token.ts';
import { stateDirOf } from '../core/state-dir.ts';

/** As given; else the folder `config` where there is one, else `leaseway.yaml`. */
export const configPathOf = (given: string | undefined): string =>
  given ?? (existsSync('config') ? 'config' : 'leaseway.yaml');

export interface AdminOfConfig {
  readonly address: string | undefined;
  readonly tls: boolean;
  readonly tokenFile: string;
}

/** A configuration that is broken at the moment says nothing about its state; the default place is tried then. */
export async function adminOfConfig(
  configPath: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<AdminOfConfig> {
  const { loadConfig } = await import('../config/load.ts');
  const loaded = await loadConfig(configPath, env);
  const config = loaded.ok ? loaded.config : undefined;
  return {
    address: config?.admin.address,
    tls: config?.admin.tls !== undefined,
    tokenFile:
      config?.admin.token_file ??
      defaultTokenFile(stateDirOf({ configPath, configured: config?.state.dir, env })),
  };
}
