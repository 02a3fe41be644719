// git, as installed, against `git http-backend` through the proxy: 20 MB pushed and cloned, over HTTP/1.1 and HTTP/2.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { makeAuthority } from '../../support/certs.ts';
import { GitBackend, git, gitSync } from '../../support/git-backend.ts';
import { Leaseway } from '../../support/leaseway.ts';

const COMMITS = 20;
const COMMIT_BYTES = 1024 * 1024;
const TAGS = 60;
/** More than this a push sends in chunks, so every real one here. */
const SMALL_BUFFER = ['-c', 'http.postBuffer=65536'];

const folder = mkdtempSync(join(tmpdir(), 'leaseway-git-'));
const at = (name: string): string => join(folder, name);
const authority = makeAuthority();
const { cert, key } = authority.issue(['localhost', '127.0.0.1']);
writeFileSync(at('cert.pem'), cert);
writeFileSync(at('key.pem'), key);
writeFileSync(at('ca.pem'), authority.ca);

mkdirSync(at('served'));
const backend = await GitBackend.start(at('served'));
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    listeners: [
      { address: '127.0.0.1:0' },
      {
        address: '127.0.0.1:0',
        tls: { certificates: [{ cert: at('cert.pem'), key: at('key.pem') }] },
      },
    ],
  },
  clusters: { git: { backends: [backend.url] } },
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
const secureUrl = `https://127.0.0.1:${leaseway.port(1)}`;
const trust = ['-c', `http.sslCAInfo=${at('ca.pem')}`];

/** A repository whose every byte is noise, so that packs are as large as what is in them. */
function makeWork(): string {
  const work = at('work');
  mkdirSync(work);
  gitSync(work, 'init', '-q', '-b', 'main');
  for (let i = 0; i < COMMITS; i++) {
    writeFileSync(join(work, `noise-${i}`), randomBytes(COMMIT_BYTES));
    gitSync(work, 'add', '.');
    gitSync(work, 'commit', '-q', '-m', `commit ${i}`);
  }
  for (let i = 0; i < TAGS; i++) {
    gitSync(work, 'commit', '-q', '--allow-empty', '-m', `empty ${i}`);
    gitSync(work, 'tag', `tag-${i}`);
  }
  return work;
}

function bare(name: string): string {
  gitSync(folder, 'init', '-q', '--bare', '-b', 'main', at(`served/${name}`));
  return at(`served/${name}`);
}

const refs = (repository: string): string =>
  gitSync(repository, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags');

const work = makeWork();
const head = gitSync(work, 'rev-parse', 'HEAD');

for (const [name, url, options, version] of [
  ['plain', leaseway.url(), [], 'HTTP/1.1'],
  ['secure', secureUrl, trust, 'HTTP/2'],
] as const) {
  t.test(`20 MB pushed in chunks and cloned over ${version}`, async t => {
    const served = bare(`${name}.git`);
    backend.requests.length = 0;
    const { trace } = await git(
      work,
      ...options,
      ...SMALL_BUFFER,
      'push',
      '-q',
      `${url}/${name}.git`,
      'main',
      '--tags',
    );
    t.match(trace, `${version} 200`, 'spoken as meant');
    const pushed = backend.requests.at(-1)!;
    t.match(pushed.headers, { 'content-length': undefined, 'content-type': /receive-pack-request$/ });
    t.ok(pushed.bodyBytes > COMMITS * COMMIT_BYTES, `${pushed.bodyBytes} bytes in one request`);
    t.ok(pushed.earlyAnswer, 'the answer began while the request still came');
    gitSync(served, 'fsck', '--full', '--strict');
    t.equal(refs(served), refs(work), 'every branch and tag arrived');

    await git(folder, ...options, 'clone', '-q', `${url}/${name}.git`, at(`${name}-clone`));
    gitSync(at(`${name}-clone`), 'fsck', '--full', '--strict');
    t.equal(gitSync(at(`${name}-clone`), 'rev-parse', 'HEAD'), head);
    t.equal(gitSync(at(`${name}-clone`), 'status', '--porcelain'), '', 'the files are what was committed');
    const asked = backend.requests.find(({ headers }) => headers['content-encoding'] === 'gzip');
    t.match(asked, { method: 'POST', url: `/${name}.git/git-upload-pack` }, 'asked for in a gzip body');
  });
}

t.test('a push that waits for 100 Continue before its 20 MB', async t => {
  const served = bare('patient.git');
  const { trace } = await git(
    work,
    ...SMALL_BUFFER,
    '-c',
    'http.extraHeader=Expect: 100-continue',
    'push',
    '-q',
    `${leaseway.url()}/patient.git`,
    'main',
  );
  t.match(trace, /=> Send header: Expect: 100-continue/);
  t.match(trace, /<= Recv header: HTTP\/1.1 100 Continue/);
  gitSync(served, 'fsck', '--full', '--strict');
  t.equal(gitSync(served, 'rev-parse', 'main'), head);
});

t.test('a push of small commits goes on from there, with a length', async t => {
  gitSync(work, 'commit', '-q', '--allow-empty', '-m', 'one more');
  backend.requests.length = 0;
  await git(work, 'push', '-q', `${leaseway.url()}/plain.git`, 'main');
  t.match(backend.requests.at(-1)!.headers, { 'content-length': /^\d+$/, 'transfer-encoding': undefined });
  t.equal(gitSync(at('served/plain.git'), 'rev-parse', 'main'), gitSync(work, 'rev-parse', 'main'));
  await git(at('plain-clone'), 'pull', '-q', '--ff-only');
  t.equal(gitSync(at('plain-clone'), 'rev-parse', 'HEAD'), gitSync(work, 'rev-parse', 'main'));
});

t.test('what the backend refuses is refused', async t => {
  await t.rejects(git(folder, 'clone', '-q', `${leaseway.url()}/none.git`, at('none')), {
    message: /not found|404/,
  });
  t.match(backend.complaints, [/Not a git repository/], 'and this is all it had to complain of');
});
