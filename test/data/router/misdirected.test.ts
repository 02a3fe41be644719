import t from 'tap';
import type { ClientTls } from '../../../lib/data/ports.ts';
import { servedOn } from '../../../lib/data/router/misdirected.ts';

const tls = (serverName: string, ...certificateNames: string[]): ClientTls => ({
  serverName,
  certificateNames,
  protocol: 'TLSv1.3',
  client: null,
});

t.test('a host is served where its certificate was shown', async t => {
  for (const [host, connection, served] of [
    ['a.example', null, true],
    ['', tls('a.example'), true],
    ['a.example', tls('a.example'), true],
    ['b.example', tls('a.example', 'a.example', 'b.example'), true],
    ['x.b.example', tls('a.example', '*.b.example'), true],
    ['x.y.b.example', tls('a.example', '*.b.example'), false],
    ['b.example', tls('a.example', '*.b.example'), false],
    ['xb.example', tls('a.example', '*.b.example'), false],
    ['c.example', tls('a.example', 'a.example'), false],
    ['c.example', tls('', 'a.example'), false],
    ['[::1]', tls('', '::1'), true],
    ['127.0.0.1', tls('', 'localhost'), true],
    ['127.0.0.1', tls('a.example', 'a.example'), false],
  ] as const)
    t.equal(servedOn(host, connection), served, `${host} on ${connection?.serverName}`);
});
