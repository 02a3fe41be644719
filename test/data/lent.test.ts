// Reads into one buffer of all: taken while they are lent, or kept as a copy and read like any.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { freePage, isLent, owned, PAGE_BYTES, readShared, takePage } from '../../lib/data/lent.ts';
import { until } from '../support/until.ts';

async function accepted(t: Test): Promise<{ far: Socket; near: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  server.close();
  t.teardown(() => [far, near].map(socket => socket.destroy()));
  return { far, near };
}

t.test('what is taken does not come as data; what is not, does, and stays as it was', async t => {
  const [one, two] = [await accepted(t), await accepted(t)];
  const taken: string[] = [];
  const read: Buffer[] = [];
  let wanted = true;
  readShared(one.near, bytes => {
    t.ok(isLent(bytes));
    if (wanted) taken.push(String(bytes));
    return wanted;
  });
  one.near.on('data', (chunk: Buffer) => read.push(chunk)).resume();
  readShared(two.near, () => true);
  two.near.resume();
  one.far.write('first');
  await until('it is taken', () => taken.join('') === 'first');
  wanted = false;
  one.far.write('second');
  await until('it is read', () => read.length === 1);
  two.far.write('x'.repeat(1000));
  await until('another read', () => two.near.bytesRead === 1000);
  t.equal(String(read[0]), 'second', 'no other read has touched it');
  t.notOk(isLent(read[0]!));
  one.near.pause();
  one.far.end('third');
  await new Promise(turn => setImmediate(turn));
  t.equal(read.length, 1, 'paused');
  one.near.resume();
  await once(one.near, 'end');
  t.equal(String(Buffer.concat(read)), 'secondthird');
});

t.test('pages are lent by turns, and are no more than there are', async t => {
  const pages: Buffer[] = [];
  for (let page = takePage(); page !== null; page = takePage()) pages.push(page);
  t.ok(pages.length >= 16);
  t.equal(new Set(pages.map(page => page.byteOffset)).size, pages.length);
  t.ok(pages.every(page => isLent(page) && page.length === PAGE_BYTES));
  const copy = owned(pages[0]!.fill('a'));
  pages[0]!.fill('b');
  t.notOk(isLent(copy));
  t.equal(copy[0], 0x61);
  t.equal(owned(copy), copy, 'what is owned is not copied');
  for (const page of pages) freePage(page);
  t.not(takePage(), null);
});
