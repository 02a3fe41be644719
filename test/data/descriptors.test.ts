// Who goes without when descriptors are few, on a table that a test fills.

import t from 'tap';
import { type DescriptorSystem, Descriptors, marksOf, openFilesLimit } from '../../lib/data/descriptors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** Gives the lowest free number, as the kernel does. */
class Table implements DescriptorSystem {
  readonly taken = new Set<number>();
  size: number;
  /** False: a kernel that does not count for us. */
  counts = true;

  constructor(size: number) {
    this.size = size;
  }

  limit(): number {
    return this.size;
  }

  open(): number {
    for (let fd = 0; fd < this.size; fd++) {
      if (this.taken.has(fd)) continue;
      this.taken.add(fd);
      return fd;
    }
    throw Object.assign(new Error('none'), { code: 'EMFILE' });
  }

  close(fd: number): void {
    if (!this.taken.delete(fd)) throw new Error(`${fd} is not open`);
  }

  used(): number {
    return this.counts ? this.taken.size : 0;
  }

  fill(upTo: number): void {
    while (this.taken.size < upTo) this.open();
  }
}

function made(size: number): { table: Table; clock: FakeClock; log: MemoryLog; descriptors: Descriptors } {
  const [table, clock, log] = [new Table(size), new FakeClock(), new MemoryLog()];
  return { table, clock, log, descriptors: new Descriptors(clock, log, table) };
}

t.test('the system says its limit, or not', async t => {
  const said = (text: string): number | null => openFilesLimit(() => text);
  t.equal(said('Limit Soft Hard\nMax open files            1024                 4096  files\n'), 1024);
  t.equal(said('Max open files            unlimited            unlimited  files\n'), null);
  t.equal(
    openFilesLimit(() => {
      throw new Error('no /proc');
    }),
    null,
  );
});

t.test('the shares add up, whatever the limit', async t => {
  for (const limit of [16, 64, 100, 1024, 65_536]) {
    const { clients, refuse, close, dial } = marksOf(limit);
    t.ok(0 < clients && 2 * clients <= refuse, `${limit}: each client may have a backend's connection too`);
    t.ok(
      refuse < close && close < dial && dial < limit,
      `${limit}: clients first, backends next, files last`,
    );
  }
  t.strictSame(marksOf(1024), { limit: 1024, clients: 384, refuse: 768, close: 832, dial: 960 });
  t.equal(marksOf(null).clients, Infinity);
});

t.test('newcomers are told, then closed, and backends are dialled for longer', async t => {
  const { table, descriptors } = made(100);
  table.fill(70);
  t.equal(descriptors.welcome(table.open(), 0), 'admit');
  table.fill(75);
  t.equal(descriptors.welcome(table.open(), 0), 'refuse');
  table.fill(81);
  t.equal(descriptors.welcome(table.open(), 0), 'close');
  t.ok(descriptors.mayDial(table.open()));
  table.fill(94);
  t.notOk(descriptors.mayDial(table.open()));
  descriptors.beat();
  t.equal(descriptors.welcome(-1, 0), 'close', 'what has no number yet goes by the count');
});

t.test('clients have no more than their share, however many descriptors are free', async t => {
  const { descriptors } = made(1024);
  t.equal(descriptors.welcome(100, 383), 'admit');
  t.equal(descriptors.welcome(100, 384), 'refuse');
});

t.test('a low number is no proof of room: holes fill while the top is held', async t => {
  const { table, descriptors } = made(100);
  table.fill(99);
  table.close(40);
  table.close(41);
  descriptors.beat();
  t.equal(descriptors.welcome(table.open(), 0), 'close');
  for (let fd = 50; fd < 90; fd++) table.close(fd);
  t.equal(descriptors.welcome(table.open(), 0), 'admit', 'and a count that is old is no proof of want');
});

t.test('with none left the spares go back, and come again when there is room', async t => {
  const { table, clock, log, descriptors } = made(100);
  t.equal(table.taken.size, 3, 'spares');
  table.fill(100);
  descriptors.beat();
  t.equal(table.taken.size, 97, 'given back');
  t.equal(log.count('error', 'out of file descriptors'), 1);
  const newcomer = table.open();
  t.equal(descriptors.welcome(newcomer, 0), 'close');
  table.close(newcomer);
  t.ok(descriptors.short);
  clock.advance(250);
  descriptors.beat();
  t.equal(table.taken.size, 97, 'none is taken while few are left');
  t.equal(log.count('error', 'out of file descriptors'), 1, 'told once');
  for (let fd = 10; fd < 60; fd++) table.close(fd);
  clock.advance(2000);
  for (let i = 0; i < 5; i++) descriptors.beat();
  t.equal(table.taken.size, 50, 'three spares again');
  t.equal(log.count('info', 'are free again'), 1);
  t.equal(descriptors.welcome(table.open(), 0), 'admit');
  t.notOk(descriptors.short);
});

t.test('where the kernel does not count, numbers and failures do', async t => {
  const { table, descriptors } = made(100);
  table.counts = false;
  table.fill(82);
  t.equal(descriptors.welcome(table.open(), 0), 'close');
  table.fill(100);
  descriptors.beat();
  t.equal(descriptors.welcome(table.open(), 0), 'close');
  t.notOk(descriptors.mayDial(5));
});

t.test('a limit that was changed is seen within a second', async t => {
  const { table, clock, descriptors } = made(100);
  table.size = 1000;
  descriptors.beat();
  t.equal(descriptors.marks.limit, 100);
  clock.advance(1000);
  descriptors.beat();
  t.equal(descriptors.marks.limit, 1000);
});

t.test('an open that fails otherwise means nothing', async t => {
  const { table, log, descriptors } = made(100);
  table.open = () => {
    throw Object.assign(new Error('no'), { code: 'EACCES' });
  };
  descriptors.beat();
  t.equal(log.lines.length, 0);
  t.equal(descriptors.welcome(10, 0), 'admit');
});
