// Tickets: what is signed comes back, and nothing else does.

import t from 'tap';
import { type Ticket, Tickets } from '../../../lib/plan/lease/ticket.ts';

const key = (id: string, secret: string) => ({ id, secret: Buffer.from(secret) });
const OLD = key('0a1b2c3d', 'old');
const NEW = key('4e5f6071', 'new');
const TICKET: Ticket = {
  ...{ nonce: '0123456789abcdef', session: 'fedcba9876543210', cluster: 'chat', route: 'route-1' },
  ...{ backend: '[::1]:80', expiresMs: 1_000_000, from: 'b2', epoch: 7 },
};

t.test('what was signed, until it lapses', async t => {
  const tickets = new Tickets([NEW]);
  const text = tickets.sign(TICKET);
  t.match(text, /^[\w.-]+$/, 'nothing that a query has to encode');
  t.same(tickets.verify(text, 999_999), TICKET);
  t.equal(tickets.verify(text, 1_000_000), 'lapsed');
});

t.test('keys rotate: the newest signs, all verify', async t => {
  const before = new Tickets([OLD]).sign(TICKET);
  t.same(new Tickets([NEW, OLD]).verify(before, 0), TICKET);
  t.equal(new Tickets([NEW]).verify(before, 0), 'forged');
  t.same(new Tickets([NEW]).verify(new Tickets([NEW, OLD]).sign(TICKET), 0), TICKET);
});

t.test('no character can be another', async t => {
  const tickets = new Tickets([NEW]);
  const text = tickets.sign({ ...TICKET, from: '', epoch: 0 });
  for (let i = 0; i < text.length - 1; i++) {
    const other = text[i] === 'A' ? 'B' : 'A';
    t.equal(tickets.verify(text.slice(0, i) + other + text.slice(i + 1), 0), 'forged', `at ${i}`);
  }
  for (const rubbish of ['', '.', 'a.b', 'x'.repeat(5_000), `${'x'.repeat(5_000)}.y`, `${text}.`, `${text}A`])
    t.equal(tickets.verify(rubbish, 0), 'forged', rubbish.slice(0, 10));
});
