import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type Server } from 'node:tls';
import t from 'tap';
import { loadLeaseKeys } from '../../../lib/control/secrets/lease-keys.ts';
import { openTicketKeys } from '../../../lib/control/secrets/ticket-keys.ts';
import { silentLog } from '../../../lib/core/log.ts';
import { makeAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const HOUR_MS = 3_600_000;

t.test('ticket keys are made once, kept privately, and found by the next process', async t => {
  const directory = join(t.testdir(), 'state');
  const clock = new FakeClock();
  using first = openTicketKeys(directory, clock, silentLog, () => {});
  t.equal(first.current().length, 48);
  t.equal(statSync(join(directory, 'ticket-keys.json')).mode & 0o777, 0o600);
  using second = openTicketKeys(directory, clock, silentLog, () => {});
  t.same(second.current(), first.current());
});

t.test(
  'ticket keys rotate every 12 hours, and two processes of an upgrade agree on the new ones',
  async t => {
    const directory = t.testdir();
    const clock = new FakeClock();
    const rotated: Uint8Array[] = [];
    const adopted: Uint8Array[] = [];
    using old = openTicketKeys(directory, clock, silentLog, keys => rotated.push(keys));
    clock.advance(11 * HOUR_MS);
    using fresh = openTicketKeys(directory, clock, silentLog, keys => adopted.push(keys));
    t.equal(rotated.length, 0);
    clock.advance(2 * HOUR_MS);
    t.equal(rotated.length, 1);
    t.same(old.current(), rotated[0]);
    t.same(fresh.current(), old.current(), 'one set, whoever made it');
    t.same(adopted, rotated);
    clock.advance(48 * HOUR_MS);
    t.equal(rotated.length, 5);
  },
);

t.test('damaged, old and future ticket keys are replaced', async t => {
  const keys = Buffer.alloc(48, 1).toString('base64');
  const clock = new FakeClock();
  const young = JSON.stringify({ madeMs: clock.wallMs() - HOUR_MS, keys });
  for (const [content, kept] of [
    [young, true],
    [JSON.stringify({ madeMs: clock.wallMs() - 13 * HOUR_MS, keys }), false],
    [JSON.stringify({ madeMs: clock.wallMs() + HOUR_MS, keys }), false],
    [JSON.stringify({ madeMs: clock.wallMs(), keys: 'AAAA' }), false],
    ['{"madeMs":', false],
    ['null', false],
  ] as const) {
    const directory = t.testdir({ 'ticket-keys.json': content });
    using opened = openTicketKeys(directory, clock, silentLog, () => {});
    t.equal(Buffer.from(opened.current()).toString('base64') === keys, kept, content);
    t.equal(opened.current().length, 48);
  }
});

t.test('where ticket keys cannot be kept they live in memory, with the same rotation', async t => {
  const directory = join(t.testdir({ file: '' }), 'file');
  const clock = new FakeClock();
  const log = new MemoryLog();
  let rotations = 0;
  using opened = openTicketKeys(directory, clock, log, () => {
    rotations += 1;
  });
  t.equal(opened.current().length, 48);
  clock.advance(11 * HOUR_MS);
  t.equal(rotations, 0);
  clock.advance(2 * HOUR_MS);
  t.equal(rotations, 1);
  t.ok(log.count('warn', 'cannot be kept') >= 1);
});

t.test('a session resumes on another server with the same keys, and not after a rotation', async t => {
  const { cert, key } = makeAuthority().issue(['localhost']);
  const directory = t.testdir();
  const clock = new FakeClock();
  const servers: Server[] = [];
  const serve = async (ticketKeys: Uint8Array): Promise<number> => {
    const server = createServer({ cert, key, ticketKeys: Buffer.from(ticketKeys) }, socket =>
      socket.end('hello'),
    );
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const visit = async (port: number, session?: Buffer): Promise<{ reused: boolean; session: Buffer }> => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      servername: 'localhost',
      ...(session === undefined ? {} : { session }),
    });
    let ticket: Buffer | undefined;
    socket.on('session', newest => {
      ticket = newest;
    });
    socket.resume();
    await once(socket, 'end');
    return { reused: socket.isSessionReused(), session: ticket! };
  };
  using keys = openTicketKeys(directory, clock, silentLog, () => {});
  const port = await serve(keys.current());
  const { session, reused } = await visit(port);
  t.notOk(reused);
  using next = openTicketKeys(directory, clock, silentLog, () => {});
  t.ok((await visit(await serve(next.current()), session)).reused, 'another worker, or the next process');
  clock.advance(13 * HOUR_MS);
  servers[0]!.setTicketKeys(Buffer.from(keys.current()));
  const after = await visit(port, session);
  t.notOk(after.reused, 'a full handshake, no failure');
  t.ok((await visit(port, after.session)).reused);
  for (const server of servers) server.close();
});

t.test('configured lease keys are taken in order, with ids of their hash', async t => {
  const directory = t.testdir();
  const texts = ['new-'.repeat(10), 'old-'.repeat(10)];
  const keys = loadLeaseKeys(texts, directory, silentLog);
  t.same(
    keys.map(({ id }) => id),
    texts.map(text => createHash('sha256').update(text).digest('hex').slice(0, 8)),
  );
  t.same(Buffer.from(keys[0]!.secret).toString(), texts[0]);
  t.notOk(existsSync(join(directory, 'lease-keys.json')));
});

t.test('without configured lease keys one is made, kept privately, and found again', async t => {
  const directory = t.testdir();
  const [made] = loadLeaseKeys([], directory, silentLog);
  t.equal(made!.secret.length, 32);
  t.match(made!.id, /^[0-9a-f]{8}$/);
  t.same(loadLeaseKeys([], directory, silentLog), [made]);
  t.equal(statSync(join(directory, 'lease-keys.json')).mode & 0o777, 0o600);
});

t.test('a damaged lease key is set aside and told of', async t => {
  const directory = t.testdir({ 'lease-keys.json': '{"secret":"AA' });
  const log = new MemoryLog();
  const [made] = loadLeaseKeys([], directory, log);
  t.equal(log.count('error', 'cannot be read'), 1);
  t.equal(readFileSync(join(directory, 'lease-keys.json.bad'), 'utf8'), '{"secret":"AA');
  t.same(loadLeaseKeys([], directory, log), [made]);
  writeFileSync(join(directory, 'lease-keys.json'), '{"secret":"AAAA"}');
  t.notSame(loadLeaseKeys([], directory, log), [made]);
});
