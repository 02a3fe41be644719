// Files that go bad while the control thread is down: it comes up with what was in use, says so, and does not die of them again and again.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Leaseway, type LeasewayOptions } from '../../support/leaseway.ts';
import { RollBackend } from '../../support/roll-backends.ts';

const TOKEN = 'a-token-for-this-test-0123456789';
const died = (leaseway: Leaseway): number =>
  leaseway.log.filter(line => line.includes('control thread died')).length;

/** Ends the control thread, spoils something while it is down, and waits until it is ready; resolves with how often it died on the way. */
async function endAndSpoil(
  leaseway: Leaseway,
  spoil: () => void,
  when: 'at once' | 'when it is gone' = 'at once',
): Promise<number> {
  const before = died(leaseway);
  leaseway.hook('control', 'exit');
  if (when === 'at once') spoil();
  await leaseway.until(() => died(leaseway) > before);
  // By now it has died so often that the next start is a second or more away.
  if (when !== 'at once') spoil();
  await leaseway.until(async () => (await leaseway.admin('/readyz').catch(() => null))?.status === 200);
  return died(leaseway) - before;
}

/** A write with the token that was in use from the beginning. */
async function write(leaseway: Leaseway, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${leaseway.serving.admin.port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'if-match': '*', 'content-type': 'application/json' },
    body: '{}',
  });
  await response.text();
  return response.status;
}

function ask(port: number, cookie = ''): Promise<{ status: number; cookie: string }> {
  return new Promise((resolve, reject) => {
    const headers = cookie === '' ? {} : { cookie };
    http
      .get({ host: '127.0.0.1', port, path: '/mark', agent: false, headers }, response => {
        response.resume();
        const set = response.headers['set-cookie']?.[0] ?? '';
        resolve({ status: response.statusCode!, cookie: set.split(';')[0]! });
      })
      .on('error', reject);
  });
}

t.test('the control thread comes up again over files that have gone bad', async t => {
  await using backend = await RollBackend.start();
  await using other = await RollBackend.start();
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-bad-files-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'token');
  const goodToken = (): void => writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  goodToken();
  const options = (admin: Record<string, unknown> = {}): LeasewayOptions => ({
    config: { workers: 2, admin: { address: '127.0.0.1:0', token_file: tokenFile, ...admin } },
    clusters: { web: { backends: [backend.url, other.url], sticky: {} } },
  });
  await using leaseway = await Leaseway.start({ ...options(), hooked: true });
  const stateDir = join(leaseway.folder, 'state');
  const leaseKeys = join(stateDir, 'lease-keys.json');
  const key = readFileSync(leaseKeys, 'utf8');
  let { cookie } = await ask(leaseway.port());
  t.match(cookie, /=/, 'a lease');
  /** A lease that holds is not given anew. */
  const leaseHolds = async (): Promise<boolean> => (await ask(leaseway.port(), cookie)).cookie === '';
  t.ok(await leaseHolds());
  const said = (text: RegExp): boolean => leaseway.log.some(line => text.test(line));

  await t.test('the token’s file is open to others, then gone', async t => {
    t.equal(await endAndSpoil(leaseway, () => chmodSync(tokenFile, 0o644)), 1);
    t.ok(said(/the admin token cannot be read; the one in use goes on .*open to others/));
    t.equal(await write(leaseway, '/v1/reload'), 422, 'the token is right, what is on disk is not');
    t.equal(await endAndSpoil(leaseway, () => rmSync(tokenFile)), 1);
    t.ok(said(/the admin token cannot be read; the one in use goes on .*does not exist/));
    goodToken();
    t.equal(await write(leaseway, '/v1/reload'), 200);
  });

  await t.test('the lease key is damaged, then gone', async t => {
    t.equal(await endAndSpoil(leaseway, () => writeFileSync(leaseKeys, '{"secret":')), 1);
    t.ok(said(/the lease key cannot be read; the one in use is written anew/));
    t.equal(readFileSync(leaseKeys, 'utf8'), key);
    t.ok(await leaseHolds());
    t.equal(await endAndSpoil(leaseway, () => rmSync(leaseKeys)), 1);
    t.equal(readFileSync(leaseKeys, 'utf8'), key);
    t.ok(await leaseHolds());
    // While it runs, too.
    writeFileSync(leaseKeys, 'nonsense');
    t.equal(await write(leaseway, '/v1/reload'), 200);
    t.equal(readFileSync(leaseKeys, 'utf8'), key);
  });

  await t.test('other state is damaged', async t => {
    const spoil = (): void => {
      for (const name of [
        'backends.json',
        'admin.json',
        'ticket-keys.json',
        'events.json',
        'forecasts.jsonl',
      ])
        writeFileSync(join(stateDir, name), 'nonsense');
    };
    t.equal(await endAndSpoil(leaseway, spoil), 1);
    // Without its generations no lease of before can be trusted (it is fenced off), so another is given.
    t.equal((await leaseway.status()).backends.length, 2);
    const again = await ask(leaseway.port(), cookie);
    t.equal(again.status, 200);
    cookie = again.cookie === '' ? cookie : again.cookie;
    t.ok(await leaseHolds());
  });

  await t.test('the state directory is gone', async t => {
    t.equal(await endAndSpoil(leaseway, () => rmSync(stateDir, { recursive: true }), 'when it is gone'), 1);
    t.ok(said(/the state directory is gone; it is made anew/));
    t.equal(statSync(stateDir).mode & 0o777, 0o700);
    t.equal(readFileSync(join(stateDir, 'leaseway.pid'), 'utf8').match(/\d+/)?.[0], String(leaseway.pid));
    t.equal(readFileSync(leaseKeys, 'utf8'), key);
    t.equal((await ask(leaseway.port(), cookie)).status, 200);
  });

  await t.test('the configuration is well-formed, but no control thread can start with it', async t => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    t.teardown(() => taken.close());
    await new Promise(resolve => taken.once('listening', resolve));
    const { port } = taken.address() as net.AddressInfo;
    const deaths = await endAndSpoil(leaseway, () =>
      leaseway.rewrite(options({ address: `127.0.0.1:${port}` })),
    );
    t.equal(deaths, 2, 'once by us, once by the files');
    t.ok(said(/the configuration on disk cannot be used; the one in use goes on/));
    const { reloadProblems } = await leaseway.status();
    t.equal(reloadProblems.length, 1);
    t.equal((await ask(leaseway.port())).status, 200);
    leaseway.rewrite(options());
    await leaseway.until(async () => (await leaseway.status()).reloadProblems.length === 0);
    t.equal(died(leaseway), 8);
  });
});
