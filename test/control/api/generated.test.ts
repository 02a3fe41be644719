// The generated code is what the protocol generates: `npm run proto` after a change.

import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const API = resolve(import.meta.dirname, '../../../lib/control/api');
const BIN = resolve(import.meta.dirname, '../../../node_modules/.bin');
const FILE = 'leaseway/v1/lease_pb.ts';

t.test('it is current, and the protocol is clean', { timeout: 60_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-proto-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['buf.yaml', 'buf.gen.yaml', 'proto'])
    cpSync(join(API, name), join(folder, name), { recursive: true });
  // Without the hooks that tap has its children load.
  const { NODE_OPTIONS: _, ...rest } = process.env;
  const env = { ...rest, PATH: `${BIN}${delimiter}${process.env.PATH}` };
  const buf = (...args: string[]) => promisify(execFile)(join(BIN, 'buf'), args, { cwd: folder, env });
  t.equal((await buf('lint')).stdout, '');
  await buf('generate');
  t.equal(readFileSync(join(folder, 'gen', FILE), 'utf8'), readFileSync(join(API, 'gen', FILE), 'utf8'));
});
