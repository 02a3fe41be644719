import fc from 'fast-check';
import t from 'tap';
import type { SessionLease } from '../../../lib/plan/lease/lease.ts';
import { holdsOn, LeaseTokens } from '../../../lib/plan/lease/token.ts';
import { TwoGenerations } from '../../../lib/plan/lease/two-generations.ts';

const keyOf = (id: string, fill: number) => ({ id, secret: new Uint8Array(32).fill(fill) });
const old = keyOf('0000000a', 1);
const current = keyOf('deadbeef', 2);
/** Signs, but remembers nothing that the tests below verify. */
const signer = new LeaseTokens([current, old]);
const fresh = () => new LeaseTokens([current, old]);
const lease: SessionLease = {
  id: '0123456789abcdef',
  cluster: 'web',
  route: '',
  backend: '10.0.0.1:8000',
  generation: 3,
  type: 'dynamic',
  expiresMs: 1_800_000_000_123,
};

const anyLease: fc.Arbitrary<SessionLease> = fc.record({
  id: fc.stringMatching(/^[0-9a-f]{16}$/),
  cluster: fc.string({ maxLength: 60 }),
  route: fc.string({ maxLength: 60 }),
  backend: fc.string({ unit: 'grapheme', maxLength: 40 }),
  generation: fc.nat({ max: 2 ** 47 }),
  type: fc.constantFrom('dynamic', 'static'),
  expiresMs: fc.nat({ max: 2 ** 47 }),
});

t.test('a token says what was signed, on every proxy with the key', async () => {
  fc.assert(
    fc.property(anyLease, given => {
      const read = fresh().verify(signer.sign(given));
      return (
        typeof read !== 'string' &&
        Object.entries(given).every(([key, value]) => read[key as keyof SessionLease] === value)
      );
    }),
    { numRuns: 300 },
  );
});

t.test('it is small and fit for a cookie, a header and a query', async t => {
  const token = signer.sign(lease);
  t.ok(token.length < 100, `${token.length}`);
  t.match(token, /^[\w-]+$/);
});

t.test('any flipped bit is rejected', async () => {
  const token = signer.sign(lease);
  const verifier = fresh();
  for (let i = 0; i < token.length; i++)
    for (let bit = 0; bit < 7; bit++) {
      const flipped = `${token.slice(0, i)}${String.fromCharCode(token.charCodeAt(i) ^ (1 << bit))}${token.slice(i + 1)}`;
      if (typeof verifier.verify(flipped) !== 'string') throw new Error(`accepted ${flipped}`);
    }
});

t.test('other spellings, cuts and rubbish are rejected', async t => {
  const token = signer.sign(lease);
  const verifier = fresh();
  for (const text of [
    `${token}=`,
    `${token} `,
    `${token}A`,
    token.slice(1),
    token.slice(0, -1),
    '',
    'x',
    'A'.repeat(70),
    'A'.repeat(5000),
  ])
    t.type(verifier.verify(text), 'string', text.slice(0, 20));
  t.equal(verifier.verify('A'.repeat(70)), 'malformed');
});

t.test('keys rotate: the newest signs, all verify, a retired one does not', async t => {
  const before = new LeaseTokens([old]).sign(lease);
  t.type(fresh().verify(before), 'object');
  t.equal(new LeaseTokens([current]).verify(before), 'unknown_key');
  t.equal(new LeaseTokens([old]).verify(signer.sign(lease)), 'unknown_key');
  const forged = new LeaseTokens([keyOf('deadbeef', 9)]).sign(lease);
  t.equal(fresh().verify(forged), 'bad_signature');
  t.throws(() => new LeaseTokens([]));
  t.throws(() => new LeaseTokens([keyOf('nothex!!', 1)]));
});

t.test('a lease holds on its cluster, and on its route if it has one', async t => {
  t.ok(holdsOn(lease, 'web', 'any'));
  t.notOk(holdsOn(lease, 'chat', 'any'));
  t.ok(holdsOn({ ...lease, route: 'r' }, 'web', 'r'));
  t.notOk(holdsOn({ ...lease, route: 'r' }, 'web', 's'));
});

t.test('the memory of verified tokens is bounded and keeps what is used', async t => {
  const memory = new TwoGenerations<number>(10);
  for (let i = 0; i < 1000; i++) {
    memory.set(`k${i}`, i);
    t.equal(memory.get('k0'), 0);
    if (memory.size > 10) t.fail(`${memory.size} entries`);
  }
  t.equal(memory.get('k1'), undefined);
});
