// Generations never fall: over departures, restarts, forgetting and damaged files.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Generations } from '../../../lib/control/backend/generations.ts';
import { Ledger } from '../../../lib/control/backend/ledger.ts';
import { below, seededRandom } from '../../../lib/core/random.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'leaseway-generations-'));
const WALL_MS = 1_700_000_000_000;

const ledgerAt = (path: string, writer: string, log = new MemoryLog()): Ledger =>
  new Ledger({ path, writer, maxBackends: 64, idle: () => true, log }, 0, WALL_MS);

t.test('a backend begins at 1, and departure ends its leases', async t => {
  const generations = new Generations(0, []);
  t.equal(generations.open('web', 'a'), 1);
  t.equal(generations.raise('web', 'a', 'failover'), 2);
  generations.leave('web', 'a', WALL_MS);
  t.equal(generations.open('web', 'a'), 3);
  t.match(generations.entries(), [{ id: 'a', generation: 3, reason: 'removed', goneAtMs: null }]);
});

t.test('what is forgotten raises the floor for all that come later', async t => {
  const generations = new Generations(0, []);
  generations.open('web', 'old');
  for (let i = 0; i < 50; i++) generations.raise('web', 'old', 'failover');
  generations.leave('web', 'old', WALL_MS);
  for (let i = 0; i < 5_000; i++) {
    generations.open('web', `b${i}`);
    generations.leave('web', `b${i}`, WALL_MS);
  }
  t.ok(generations.entries().length <= 4_096, 'memory is bounded');
  t.ok(generations.open('web', 'old') > 51);
});

t.test('they never fall, whatever happens (seeded)', async t => {
  for (const seed of [11, 12, 13]) {
    const random = seededRandom(seed);
    const path = join(folder(), 'backends.json');
    const highest = new Map<string, number>();
    let ledger = ledgerAt(path, 'one');
    let sound = true;
    for (let step = 0; step < 300; step++) {
      const id = `b${below(random, 6)}`;
      const chance = random.next();
      if (chance < 0.1) {
        ledger.touch();
        ledger.flush(0);
        ledger = ledgerAt(path, `run-${step}`);
        continue;
      }
      const now =
        chance < 0.5 ? ledger.generations.open('web', id) : ledger.generations.raise('web', id, 'failover');
      if (now < (highest.get(id) ?? 0)) sound = false;
      highest.set(id, now);
      if (chance > 0.9) ledger.generations.leave('web', id, WALL_MS);
    }
    t.ok(sound, `seed ${seed}`);
  }
});

t.test('a damaged file is moved aside and generations begin above all that were possible', async t => {
  const path = join(folder(), 'backends.json');
  writeFileSync(path, '{"version":1,"genera');
  const log = new MemoryLog();
  const ledger = ledgerAt(path, 'one', log);
  t.equal(log.count('error', 'cannot be read'), 1);
  t.equal(readFileSync(`${path}.bad`, 'utf8'), '{"version":1,"genera');
  t.ok(ledger.generations.open('web', 'a') > 1_600_000_000);
});

t.test('of a file that is damaged in part the rest is used', async t => {
  const path = join(folder(), 'backends.json');
  const before = ledgerAt(path, 'one');
  before.generations.open('web', 'a');
  before.generations.raise('web', 'a', 'drain');
  before.slots.take('web/a@http://a:80', 0);
  before.touch();
  before.flush(0);
  const content = JSON.parse(readFileSync(path, 'utf8'));
  content.generations.push({ cluster: 'web', id: 'b' });
  writeFileSync(path, JSON.stringify(content));
  const log = new MemoryLog();
  const after = ledgerAt(path, 'one', log);
  t.equal(log.count('error', 'damaged in part'), 1);
  t.equal(after.generations.open('web', 'a'), 2);
  t.equal(after.slots.held().length, 1);
  t.ok(after.generations.open('web', 'b') > 1_600_000_000, 'the unreadable one may have been anything');
});

t.test('two processes during an upgrade do not undo each other', async t => {
  const path = join(folder(), 'backends.json');
  const old = ledgerAt(path, 'old');
  old.generations.open('web', 'a');
  old.touch();
  old.flush(0);
  const next = ledgerAt(path, 'next');
  next.generations.open('web', 'a');
  for (let i = 0; i < 5; i++) next.generations.raise('web', 'a', 'failover');
  next.touch();
  next.flush(0);
  old.generations.raise('web', 'a', 'drain');
  old.touch();
  old.flush(0);
  t.equal(ledgerAt(path, 'third').generations.open('web', 'a'), 6);
});

t.test('slots of another process are not believed', async t => {
  const path = join(folder(), 'backends.json');
  const one = ledgerAt(path, 'one');
  one.slots.take('web/a@http://a:80', 0);
  one.touch();
  one.flush(0);
  t.equal(ledgerAt(path, 'one').slots.held().length, 1);
  const two = ledgerAt(path, 'two');
  t.equal(two.slots.held().length, 0);
  t.ok(two.slots.take('web/b@http://b:80', 0)!.generation > 1, 'but its generations are passed');
});

t.test('a disk that refuses is logged once and tried again', async t => {
  const log = new MemoryLog();
  const path = join(folder(), 'backends.json');
  const ledger = ledgerAt(join(path, 'no', 'backends.json'), 'one', log);
  writeFileSync(path, 'a file where a folder should be');
  ledger.touch();
  ledger.flush(0);
  ledger.flush(1_000);
  t.equal(log.count('error', 'cannot write'), 1);
});
