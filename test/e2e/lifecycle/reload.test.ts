// The three ways to a reload, the bad file that changes nothing, and what an operator decided outliving them all.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Json, Leaseway } from '../../support/leaseway.ts';
import { RollBackend } from '../../support/roll-backends.ts';

const respond = (body: string): Record<string, unknown> => ({ routes: [{ respond: { body } }] });

t.test('file, signal and API reload; a bad file changes nothing and says where', async t => {
  await using backend = await RollBackend.start();
  const clusters = { web: { backends: [backend.url] } };
  await using leaseway = await Leaseway.start({ config: respond('first'), clusters });
  const answer = async (): Promise<string> => (await fetch(leaseway.url())).text();
  t.equal(await answer(), 'first');

  leaseway.rewrite({ config: respond('by the file’s change'), clusters });
  await leaseway.until(async () => (await answer()) === 'by the file’s change');
  leaseway.rewrite({ config: respond('by API'), clusters });
  t.equal((await leaseway.reload()).status, 200);
  await leaseway.until(async () => (await answer()) === 'by API');
  leaseway.rewrite({ config: respond('by signal'), clusters });
  process.kill(leaseway.pid, 'SIGHUP');
  await leaseway.until(async () => (await answer()) === 'by signal');

  const { generation } = await leaseway.status();
  const file = join(leaseway.folder, 'leaseway.yaml');
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, good.replace('respond:', 'repsond:'));
  const refused = await leaseway.reload();
  t.equal(refused.status, 422);
  t.match(JSON.stringify(refused.body), /leaseway\.yaml:\d+:\d+/);
  t.match(JSON.stringify(refused.body), /repsond/);
  const status = await leaseway.status();
  t.match(status.reloadProblems.join('\n'), /leaseway\.yaml:\d+:\d+.*repsond/s);
  t.equal(status.generation, generation);
  t.equal(await answer(), 'by signal');
  t.match(leaseway.log.join('\n'), /refused; the former goes on[\s\S]*leaseway\.yaml:\d+:\d+/);
  writeFileSync(file, good);
  t.equal((await leaseway.reload()).status, 200);
  t.strictSame((await leaseway.status()).reloadProblems, []);
});

t.test('a reload that is asked for while another runs sees the newest files', async t => {
  await using backend = await RollBackend.start();
  const clusters = { web: { backends: [backend.url] } };
  await using leaseway = await Leaseway.start({ config: respond('0'), clusters });
  for (let n = 1; n <= 5; n++) {
    // Answered late: this reload waits for the new cluster's first check.
    leaseway.rewrite({
      config: respond(`${n}a`),
      clusters: { ...clusters, [`c${n}`]: { backends: ['http://127.0.0.1:1'], health: { tcp: true } } },
    });
    const first = leaseway.reload();
    leaseway.rewrite({ config: respond(`${n}b`), clusters });
    const [, second] = await Promise.all([first, leaseway.reload()]);
    t.equal(second.status, 200);
    await leaseway.until(async () => (await (await fetch(leaseway.url())).text()) === `${n}b`, 150);
  }
});

t.test('drain and weight survive reload, upgrade and restart', async t => {
  await using a = await RollBackend.start();
  await using b = await RollBackend.start();
  const clusters = {
    web: {
      backends: [
        { id: 'a', url: a.url },
        { id: 'b', url: b.url },
      ],
    },
  };
  await using leaseway = await Leaseway.start({ clusters });
  const views = (of: Leaseway) => async (): Promise<unknown> =>
    (await of.status()).backends.map(({ id, admin, weight }: Json) => [id, admin, weight]);
  t.equal((await leaseway.admin('/v1/backends/web/a/drain', 'POST', {})).status, 200);
  t.equal((await leaseway.admin('/v1/backends/web/b/weight', 'PUT', { weight: 0.5 })).status, 200);
  const before = await views(leaseway)();
  t.strictSame(before, [
    ['a', 'drain', 1],
    ['b', 'ready', 0.5],
  ]);
  leaseway.rewrite({ config: { log: { level: 'debug' } }, clusters });
  await leaseway.reload();
  t.strictSame(await views(leaseway)(), before);
  process.kill(leaseway.pid, 'SIGUSR2');
  await leaseway.generation(2);
  t.strictSame(await views(leaseway)(), before);
  for (let i = 0; i < 10; i++) t.equal((await fetch(leaseway.url())).status, 200);
  t.equal(a.requests, 0, 'the drained one gets nothing');
  await leaseway.stop();
  await using again = await Leaseway.start({
    config: { state: { dir: join(leaseway.folder, 'state') } },
    clusters,
  });
  t.strictSame(await views(again)(), before);
});

t.test('a reload reopens the access log', async t => {
  await using backend = await RollBackend.start();
  const clusters = { web: { backends: [backend.url] } };
  await using leaseway = await Leaseway.start({ clusters });
  const file = join(leaseway.folder, 'access.log');
  leaseway.rewrite({ config: { log: { access: file } }, clusters });
  await leaseway.reload();
  const lines = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  let asked = 0;
  await leaseway.until(async () => {
    await fetch(`${leaseway.url()}/before`);
    asked += 1;
    return lines(file).includes('/before');
  });
  renameSync(file, `${file}.1`);
  process.kill(leaseway.pid, 'SIGHUP');
  await leaseway.until(async () => {
    await fetch(`${leaseway.url()}/after`);
    return lines(file).includes('/after');
  });
  // A worker may hold a line back for a moment and write it to the new file: none is lost, none is there twice.
  const count = (path: string): number =>
    [`${file}.1`, file].reduce((sum, one) => sum + lines(one).split(path).length - 1, 0);
  await leaseway.until(() => count('/before') === asked && count('/after') > 0);
  t.pass(`${asked} lines before, all there`);
});
