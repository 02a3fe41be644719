import {
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ProxyConfig } from '../../../lib/config/proxy.ts';
import { CertificateStore, type TlsMaterial } from '../../../lib/control/secrets/certificates.ts';
import type { CertificateEntry } from '../../../lib/orders/snapshot.ts';
import { makeAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const authority = makeAuthority();
const other = makeAuthority();
const first = authority.issue(['a.example', '*.A.example', '127.0.0.1']);
const second = authority.issue(['a.example']);
const third = authority.issue(['b.example']);
const DAY_MS = 86_400_000;

type Tls = NonNullable<ProxyConfig['listeners'][number]['tls']>;
const listenerTls = (pairs: readonly string[], clientCa?: string) =>
  ({
    certificates: pairs.map(pair => ({ cert: `${pair}.crt`, key: `${pair}.key` })),
    ...(clientCa === undefined ? {} : { client_ca: clientCa }),
  }) as Tls;

/** Only what the store reads. */
const configOf = (listeners: readonly (Tls | undefined)[], cluster: object = {}, admin?: Tls) =>
  ({
    listeners: listeners.map(tls => ({ tls })),
    clusters: { web: { tls: cluster } },
    admin: { tls: admin },
  }) as unknown as ProxyConfig;

function write(base: string, { cert, key }: Pick<CertificateEntry, 'cert' | 'key'>): void {
  writeFileSync(`${base}.crt`, cert);
  writeFileSync(`${base}.key`, key);
}

function setUp(wallMs = Date.now() + 60_000) {
  const clock = new FakeClock(wallMs);
  const log = new MemoryLog();
  const store = new CertificateStore({ clock, log, pollMs: 1_000 });
  const seen: TlsMaterial[] = [];
  store.watch(material => seen.push(material));
  return { clock, log, store, seen };
}

t.test('what the configuration names is read, checked and handed on with its names', async t => {
  const folder = t.testdir();
  write(join(folder, 'a'), first);
  write(join(folder, 'b'), third);
  writeFileSync(join(folder, 'ca.pem'), authority.ca + other.ca);
  const { store, log } = setUp();
  const material = store.load(
    configOf(
      [listenerTls([join(folder, 'a'), join(folder, 'b')], join(folder, 'ca.pem')), undefined],
      { ca: join(folder, 'ca.pem'), cert: join(folder, 'b.crt'), key: join(folder, 'b.key') },
      listenerTls([join(folder, 'b')]),
    ),
  );
  t.same(material.listeners[0]!.certificates[0], {
    cert: first.cert,
    key: first.key,
    names: ['a.example', '*.a.example', '127.0.0.1'],
  });
  t.equal(material.listeners[0]!.certificates.length, 2);
  t.equal(material.listeners[0]!.clientCa, authority.ca + other.ca);
  t.strictSame(material.listeners[1], { certificates: [] });
  t.strictSame(material.clusters.web, { ca: authority.ca + other.ca, cert: third.cert, key: third.key });
  t.equal(material.admin.certificates[0]!.cert, third.cert);
  t.same(log.lines, []);
  store[Symbol.dispose]();
});

t.test('what cannot be used is refused, every file with its reason, and the former stays', async t => {
  const folder = t.testdir({ 'empty.crt': '', 'empty.key': '' });
  write(join(folder, 'good'), first);
  write(join(folder, 'mixed'), { cert: first.cert, key: second.key });
  write(join(folder, 'cut'), { cert: first.cert.slice(0, 200), key: first.key });
  write(join(folder, 'chaincut'), { cert: first.cert + authority.ca.slice(0, 200), key: first.key });
  write(join(folder, 'badkey'), {
    cert: first.cert,
    key: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  });
  const { store, clock, seen } = setUp();
  store.load(configOf([listenerTls([join(folder, 'good')])]));
  const names = ['mixed', 'cut', 'chaincut', 'badkey', 'empty', 'missing'];
  try {
    store.load(
      configOf([
        listenerTls(
          names.map(name => join(folder, name)),
          join(folder, 'good.key'),
        ),
      ]),
    );
    t.fail('should throw');
  } catch (error) {
    const { code, detail } = error as { code: string; detail: string };
    t.equal(code, 'CONFIG_INVALID');
    const problems = detail.split('\n');
    t.equal(problems.length, names.length + 1, detail);
    t.match(problems[0], /mixed\.crt with .*mixed\.key: the key is not the key of the certificate/);
    t.match(problems[2], /chaincut.*incomplete/);
    t.match(problems[5], /missing.*ENOENT/);
    t.match(problems[6], /good\.key: .*private key instead/);
  }
  write(join(folder, 'good'), second);
  clock.advance(3_000);
  t.equal(seen.length, 1, 'the former configuration stays watched');
  store[Symbol.dispose]();
  t.equal(clock.pending, 0);
});

t.test('a renewal is used once both files match, half-written ones never', async t => {
  const folder = t.testdir();
  const base = join(folder, 'a');
  write(base, first);
  const { clock, log, store, seen } = setUp();
  store.load(configOf([listenerTls([base])]));
  clock.advance(10_000);
  t.equal(seen.length, 0, 'nothing changed');

  writeFileSync(`${base}.crt`, second.cert.slice(0, 300));
  clock.advance(5_000);
  writeFileSync(`${base}.crt`, second.cert);
  clock.advance(5_000);
  t.equal(seen.length, 0, 'the certificate is whole, its key is not there yet');
  t.ok(log.count('warn', 'not used yet') >= 1);
  writeFileSync(`${base}.key`, second.key.slice(0, 50));
  clock.advance(1_000);
  writeFileSync(`${base}.key`, second.key);
  clock.advance(1_000);
  t.equal(seen.length, 0, 'seen once: it may still be written');
  clock.advance(1_000);
  t.equal(seen.length, 1);
  t.equal(seen[0]!.listeners[0]!.certificates[0]!.cert, second.cert);
  t.same(seen[0]!.listeners[0]!.certificates[0]!.names, ['a.example']);
  clock.advance(10_000);
  t.equal(seen.length, 1);
  store[Symbol.dispose]();
});

t.test('replacing by rename is seen, also with the same size and times', async t => {
  const folder = t.testdir();
  const base = join(folder, 'a');
  write(base, first);
  const { clock, store, seen } = setUp();
  store.load(configOf([listenerTls([base])]));
  write(join(folder, 'new'), second);
  renameSync(join(folder, 'new.key'), `${base}.key`);
  renameSync(join(folder, 'new.crt'), `${base}.crt`);
  clock.advance(2_000);
  t.equal(seen.at(-1)!.listeners[0]!.certificates[0]!.cert, second.cert);
  store[Symbol.dispose]();
});

t.test('a switched link is seen, as orchestrators renew secrets', async t => {
  const folder = t.testdir();
  for (const [version, pair] of [
    ['v1', first],
    ['v2', second],
  ] as const) {
    mkdirSync(join(folder, version));
    write(join(folder, version, 'tls'), pair);
  }
  symlinkSync('v1', join(folder, '..data'));
  symlinkSync('..data/tls.crt', join(folder, 'tls.crt'));
  symlinkSync('..data/tls.key', join(folder, 'tls.key'));
  const { clock, store, seen } = setUp();
  store.load(configOf([listenerTls([join(folder, 'tls')])]));
  symlinkSync('v2', join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
  rmSync(join(folder, 'v1'), { recursive: true });
  clock.advance(2_000);
  t.equal(seen[0]!.listeners[0]!.certificates[0]!.cert, second.cert);
  store[Symbol.dispose]();
});

t.test('one pair that is broken or gone does not hold up another', async t => {
  const folder = t.testdir();
  write(join(folder, 'a'), first);
  write(join(folder, 'b'), third);
  writeFileSync(join(folder, 'ca.pem'), authority.ca);
  const { clock, log, store, seen } = setUp();
  store.load(configOf([listenerTls([join(folder, 'a'), join(folder, 'b')], join(folder, 'ca.pem'))]));
  truncateSync(join(folder, 'b.crt'), 0);
  writeFileSync(join(folder, 'ca.pem'), other.ca);
  write(join(folder, 'a'), second);
  clock.advance(2_000);
  t.equal(seen.length, 1);
  const [listener] = seen[0]!.listeners;
  t.same(
    listener!.certificates.map(({ cert }) => cert),
    [second.cert, third.cert],
    'the broken one goes on as it was',
  );
  t.equal(listener!.clientCa, other.ca);
  rmSync(join(folder, 'b.crt'));
  rmSync(join(folder, 'ca.pem'));
  clock.advance(2_000);
  t.equal(seen.length, 1, 'nothing usable is new');
  copyFileSync(join(folder, 'a.crt'), join(folder, 'b.crt'));
  copyFileSync(join(folder, 'a.key'), join(folder, 'b.key'));
  clock.advance(2_000);
  t.equal(seen[1]!.listeners[0]!.certificates[1]!.cert, second.cert);
  t.ok(log.count('warn', 'not used yet') >= 2);
  store[Symbol.dispose]();
});

t.test('a key that cannot be read is told, also to root, whom no mode keeps out', async t => {
  const folder = t.testdir();
  write(join(folder, 'a'), first);
  rmSync(join(folder, 'a.key'));
  mkdirSync(join(folder, 'a.key'));
  const { store } = setUp();
  t.throws(() => store.load(configOf([listenerTls([join(folder, 'a')])])), { code: 'CONFIG_INVALID' });
});

t.test(
  'certificates that expire soon, have expired or are not valid yet are served and warned of',
  async t => {
    const folder = t.testdir();
    write(join(folder, 'a'), first);
    const issuedMs = Date.now();
    for (const [wallMs, warning] of [
      [issuedMs + 60_000, ''],
      [issuedMs + 1.6 * DAY_MS, 'a certificate expires at'],
      [issuedMs + 3 * DAY_MS, 'a certificate expired at'],
      [issuedMs - DAY_MS, 'a certificate is not valid before'],
    ] as const) {
      const { store, log } = setUp(wallMs);
      store.load(configOf([listenerTls([join(folder, 'a')])]));
      if (warning === '') t.same(log.lines, []);
      else t.equal(log.count('warn', warning), 1, warning);
      store[Symbol.dispose]();
    }
    const { store, log, clock } = setUp(issuedMs + 60_000);
    store.load(configOf([listenerTls([join(folder, 'a')])]));
    clock.advance(2 * DAY_MS + 12 * 3_600_000);
    t.ok(log.count('warn', 'expires at') >= 1, 'and looked at again as time goes by');
    t.ok(log.count('warn', 'expired at') >= 1);
    t.ok(log.lines.length <= 5, 'but not at every look');
    store[Symbol.dispose]();
  },
);

t.test(
  'what the former control thread had read stands in for what has gone bad since, at first only',
  async t => {
    const folder = t.testdir();
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    write(a, first);
    write(b, third);
    writeFileSync(`${a}.ca`, authority.ca);
    const config = configOf([listenerTls([a, b], `${a}.ca`)]);
    const former = setUp();
    const before = former.store.load(config);
    truncateSync(`${a}.crt`);
    rmSync(`${a}.ca`);
    const log = new MemoryLog();
    const clock = new FakeClock(Date.now() + 60_000);
    const store = new CertificateStore({ clock, log, pollMs: 1_000, lastGood: former.store.texts });
    t.same(store.load(config), before);
    t.equal(log.count('error', 'a TLS file has gone bad; what it held before stays in use'), 2);
    t.throws(() => store.load(config), { code: 'CONFIG_INVALID' }, 'a reload is refused as ever');
    const seen: TlsMaterial[] = [];
    store.watch(material => seen.push(material));
    write(a, second);
    writeFileSync(`${a}.ca`, authority.ca);
    clock.advance(3_000);
    t.equal(seen.at(-1)!.listeners[0]!.certificates[0]!.cert, second.cert, 'and what is good again is used');
    store[Symbol.dispose]();
    former.store[Symbol.dispose]();
  },
);

t.test('what nobody ever read is missing still', async t => {
  const folder = t.testdir();
  const store = new CertificateStore({
    clock: new FakeClock(),
    log: new MemoryLog(),
    lastGood: { pairs: [], authorities: [] },
  });
  t.throws(() => store.load(configOf([listenerTls([join(folder, 'a')])])), { code: 'CONFIG_INVALID' });
});
