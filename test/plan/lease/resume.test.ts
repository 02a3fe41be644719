// What a backend is told of a session from elsewhere: read back as it was written, and believed only with the right key.

import t from 'tap';
import { resumeKey, signResume, verifyResume } from '../../../lib/plan/lease/resume.ts';

const KEY = { id: '0a1b2c3d', secret: Buffer.from('a secret') };
const KEYS = new Map([[KEY.id, resumeKey(KEY.secret)]]);
const RESUME = { session: '9f86d081884c7d65', from: 'chat-1', epoch: 7, atMs: 1_760_000_000_000 };

t.test('what was signed is read', async t => {
  const value = signResume(RESUME, KEY);
  t.match(
    value,
    /^session="9f86d081884c7d65", from="chat-1", epoch=7, at=1760000000000, key="0a1b2c3d", mac="/,
  );
  t.same(verifyResume(value, KEYS), RESUME);
  const ipv6 = { ...RESUME, from: '[::1]:9001' };
  t.same(verifyResume(signResume(ipv6, KEY), KEYS), ipv6);
});

t.test('nothing else is', async t => {
  const value = signResume(RESUME, KEY);
  for (const forged of [
    value.replace('chat-1', 'chat-2'),
    value.replace('epoch=7', 'epoch=8'),
    value.replace('at=176', 'at=177'),
    value.slice(0, -3),
    `${value} `,
    '',
    signResume(RESUME, { ...KEY, secret: Buffer.from('another') }),
    signResume(RESUME, { ...KEY, id: 'ffffffff' }),
  ])
    t.equal(verifyResume(forged, KEYS), null, forged);
  t.notSame(resumeKey(KEY.secret), KEY.secret, 'backends cannot sign leases with what they are given');
});
