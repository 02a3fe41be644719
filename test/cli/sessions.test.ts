// The commands on sessions, against a control plane that only remembers.

import t from 'tap';
import { EXIT } from '../../lib/core/exit-codes.ts';
import { adminFixture, TOKEN } from '../support/admin-fixture.ts';
import { runCli } from '../support/run-cli.ts';

type Test = Parameters<typeof adminFixture>[0];

async function running(t: Test) {
  const { control, port } = await adminFixture(t);
  const env = { LEASEWAY_ADMIN: `http://127.0.0.1:${port}`, LEASEWAY_TOKEN: TOKEN };
  return { control, cli: (...args: string[]) => runCli(args, { env }) };
}

t.test('leases: a list, one, a move, an end', async t => {
  const { control, cli } = await running(t);
  t.match((await cli('leases')).out, /^ID +BACKEND .*\n1-4711 +chat\/chat-1 +203\.0\.113\.7 +dynamic +1m32s/);
  t.match((await cli('leases', 'show', '1-4711')).out, /^session {3}1-4711\nbackend {3}chat\/chat-1/);
  t.equal(JSON.parse((await cli('leases', 'show', '1-4711', '--json')).out).lease.backend, 'chat-1');
  t.match(
    (await cli('leases', 'move', '1-4711', '--to', 'chat-2')).out,
    /1-4711 moves from chat-1 to chat-2/,
  );
  t.match((await cli('leases', 'end', '1-4711')).out, /told to end/);
  t.same(control.calls, ['move 1-4711 chat-2', 'ended 1-4711', 'end 1-4711']);
  control.leases_ = [];
  t.equal((await cli('leases')).out, 'no session can move\n');
  t.equal((await cli('leases', 'show', '9-9')).code, EXIT.notFound);
});

t.test('leases: what is missing is asked for', async t => {
  const { cli } = await running(t);
  for (const [args, says] of [
    [['leases', 'move', '1-4711'], /where is 1-4711 to go/],
    [['leases', 'show'], /which session is to show/],
    [['leases', 'kill', '1-1'], /there is no leases kill/],
  ] as const) {
    const { code, err } = await cli(...args);
    t.equal(code, EXIT.usage);
    t.match(err, says);
  }
});

t.test('freeze and unfreeze say what is frozen', async t => {
  const { control, cli } = await running(t);
  t.match((await cli('freeze', 'chat')).out, /^chat is frozen since \d/);
  t.match((await cli('freeze')).out, /\nevery cluster is frozen since/);
  t.match((await cli('unfreeze', 'chat')).out, /^every cluster is frozen/);
  t.equal((await cli('unfreeze')).out, 'nothing is frozen\n');
  t.same(control.calls, ['freeze chat', 'freeze null', 'unfreeze chat', 'unfreeze null']);
});

t.test('decisions show what was decided and why', async t => {
  const { control, cli } = await running(t);
  const { out } = await cli('decisions', '--cluster', 'chat');
  t.match(out, /migration +forecast +1-4711 +chat\/chat-1 +chat-2 +1\.12 → 0\.61 +moved +held 0\.8 ms/);
  control.decisions_ = [];
  t.equal((await cli('decisions')).out, 'nothing was decided yet\n');
});

t.test(
  'drain --plan changes nothing; a drain that would overload the others is refused unless forced',
  async t => {
    const { control, cli } = await running(t);
    const { out } = await cli('drain', 'web/web-1', '--plan');
    t.match(out, /^RECEIVES +LOAD +AFTER +SESSIONS\nweb\/chat-2 +0\.30 +0\.70 +205\n/);
    t.match(out, /web\/web-1 has a predicted load of 0\.40; 205 connections move, 0 end\n/);
    t.same(control.calls, []);
    control.objection_ = 'chat-2 would be above 0.9';
    t.match(
      (await cli('drain', 'web/web-1', '--plan')).out,
      /would be refused: chat-2 would be above 0\.9; --force/,
    );
    const { code, err } = await cli('drain', 'web/web-1');
    t.not(code, EXIT.ok);
    t.match(err, /web-1 is not drained: chat-2 would be above 0\.9/);
    t.same(control.calls, []);
    t.equal((await cli('drain', 'web/web-1', '--force')).code, EXIT.ok);
    t.match(control.calls, [/^drain web web-1/]);
  },
);
