// What a backend can check of what the proxy tells it: where a session comes from, and who is stale.

import { createHash, randomBytes } from 'node:crypto';
import t from 'tap';
import { signResume } from '../../lib/plan/lease/resume.ts';
import { EpochCheck, epochOf, ResumeCheck, resumeKey } from '../../lib/server/index.ts';

const secret = randomBytes(32);
const id = createHash('sha256').update(secret).digest('hex').slice(0, 8);
const nowMs = 1_760_000_000_000;
const keys = new Map([[id, resumeKey(secret)]]);
const check = new ResumeCheck(keys, { clock: { wallMs: () => nowMs } });
const resume = { session: '0011223344556677', from: 'chat-1', epoch: 7, atMs: nowMs - 1_000 };
const headers = (value: string, session = resume.session) => ({
  'leaseway-session': session,
  'leaseway-resume': value,
});

t.test('a session that comes from another backend', async t => {
  const value = signResume(resume, { id, secret });
  t.same(check.check(headers(value)), { kind: 'resumed', session: resume.session, resume });
});

t.test('a first connection', async t => {
  t.same(check.check({}), { kind: 'first', session: null });
  t.same(check.check({ 'leaseway-session': 'ab' }), { kind: 'first', session: 'ab' });
});

t.test('what is not to be believed', async t => {
  const value = signResume(resume, { id, secret });
  const why = (value: string, session?: string): unknown => {
    const verdict = check.check(headers(value, session));
    return verdict.kind === 'refused' ? verdict.why : verdict.kind;
  };
  t.equal(why(value.replace('chat-1', 'chat-2')), 'forged');
  t.equal(why(value.replace('epoch=7', 'epoch=8')), 'forged');
  t.equal(why(signResume(resume, { id, secret: randomBytes(32) })), 'forged', 'another secret');
  t.equal(why(signResume(resume, { id: '00000000', secret })), 'forged', 'a key that is not known');
  t.equal(why('nonsense'), 'forged');
  t.equal(why(value, 'ffff'), 'other_session');
  t.equal(why(signResume({ ...resume, atMs: nowMs - 31_000 }, { id, secret })), 'stale');
  t.equal(why(signResume({ ...resume, atMs: nowMs + 31_000 }, { id, secret })), 'stale');
  t.same(check.check({ 'leaseway-resume': [value, value] }), { kind: 'refused', why: 'forged' });
});

t.test('an epoch never falls', async t => {
  const epochs = new EpochCheck(2);
  t.ok(epochs.accept('a', 3));
  t.ok(epochs.accept('a', 3), 'the same holder');
  t.notOk(epochs.accept('a', 2));
  t.ok(epochs.accept('a', 5));
  t.notOk(epochs.accept('a', 3), 'the refused one changed nothing');
  epochs.accept('b', 1);
  epochs.accept('a', 5);
  epochs.accept('c', 1);
  t.notOk(epochs.accept('a', 4), 'asked about lately, so remembered');
});

t.test('the field', async t => {
  t.equal(epochOf({ 'leaseway-epoch': '12' }), 12);
  for (const value of ['', '-1', '1.5', '1e3', '9'.repeat(16), ['1', '2']])
    t.equal(epochOf({ 'leaseway-epoch': value }), null);
  t.equal(epochOf({}), null);
});
