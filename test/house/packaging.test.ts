// The systemd unit and the container file say what the code does: folders, commands, time to stop.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { LOCK_FILE } from '../../lib/core/process-lock.ts';
import { parseDurationMs } from '../../lib/core/units.ts';
import { tableOf } from '../support/readme.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const UNIT = join(ROOT, 'config/packaging/leaseway.service');
const unit = readFileSync(UNIT, 'utf8');
const container = readFileSync(join(ROOT, 'config/packaging/Containerfile'), 'utf8');
const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

t.test('systemd finds the process that an upgrade leaves behind', async t => {
  t.equal(setting('PIDFile'), `/var/lib/${setting('StateDirectory')}/${LOCK_FILE}`);
  t.equal(setting('KillMode'), 'mixed');
});

t.test('there is time to finish before anybody is killed', async t => {
  const row = tableOf(readFileSync(join(ROOT, 'README.md'), 'utf8'), 'key of leaseway.yaml').find(
    ([key]) => key === 'shutdown.deadline',
  );
  t.ok(Number(setting('TimeoutStopSec')) * 1000 > parseDurationMs(row![1]!)! + 3_000);
});

t.test('the commands of both are the command line’s', async t => {
  for (const line of [setting('ExecStart'), setting('ExecReload')]) {
    const command = /leaseway (\w+)/.exec(line)?.[1];
    t.ok(existsSync(join(ROOT, `lib/cli/commands/${command}.ts`)), line);
  }
  for (const [, words] of container.matchAll(/CMD (\[.*\])/g)) {
    const [program, command] = JSON.parse(words!) as string[];
    t.equal(program, 'leaseway');
    t.ok(existsSync(join(ROOT, `lib/cli/commands/${command}.ts`)), words!);
  }
});

t.test('systemd takes the unit, where there is one to ask', async t => {
  const there = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find(existsSync);
  // Elsewhere the sections at least are there.
  if (there === undefined) return void t.match(unit, /^\[Unit\][\s\S]*^\[Service\][\s\S]*^\[Install\]/m);
  const out = execFileSync(there, ['verify', UNIT], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  t.equal(out.trim(), '');
});
