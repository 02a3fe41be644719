import t from 'tap';
import { crc32c } from '../../../lib/data/listener/crc32c.ts';
import { parseProxyHeader } from '../../../lib/data/listener/proxy-protocol.ts';
import { makeAuthority } from '../../support/certs.ts';
import { startListener } from '../../support/listener-harness.ts';
import { exchangeRaw, rawConnect } from '../../support/raw-client.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const V4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x1f, 0x90, 0x01, 0xbb]);
const V6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000000000000000002', 'hex'),
  Buffer.from([0x1f, 0x90, 0x01, 0xbb]),
]);

function v2(command: number, family: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head[0] = 0x20 | command;
  head[1] = family;
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([SIGNATURE, head, body]);
}

const tlv = (type: number, value: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value]);

/** A header with a checksum over itself. */
function summed(body: Uint8Array): Buffer {
  const header = v2(1, 0x11, Buffer.concat([body, tlv(3, Buffer.alloc(4))]));
  header.writeUInt32BE(crc32c(header), header.length - 4);
  return header;
}

t.equal(crc32c(Buffer.from('123456789')), 0xe3069283, 'the check value of CRC-32C');

t.test('headers that are understood', async t => {
  const v4 = { address: '192.0.2.1', port: 8080, localPort: 443 };
  const v6 = { address: '2001:db8::1', port: 8080, localPort: 443 };
  const mapped = Buffer.concat([Buffer.from('00000000000000000000ffffc0000201', 'hex'), V6.subarray(16)]);
  for (const [name, bytes, value] of [
    ['v1 TCP4', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n'), v4],
    ['v1 TCP6', Buffer.from('PROXY TCP6 2001:db8::1 2001:db8::2 8080 443\r\n'), v6],
    ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), null],
    ['v1 UNKNOWN with rest', Buffer.from('PROXY UNKNOWN a b c d\r\n'), null],
    ['v2 TCP4', v2(1, 0x11, V4), v4],
    ['v2 TCP6', v2(1, 0x21, V6), v6],
    ['v2 IPv4-mapped', v2(1, 0x21, mapped), v4],
    ['v2 LOCAL', v2(0, 0x11, V4), null],
    ['v2 UNSPEC', v2(1, 0, Buffer.alloc(0)), null],
    [
      'v2 with TLVs',
      v2(1, 0x11, Buffer.concat([V4, tlv(2, Buffer.from('name')), tlv(4, Buffer.alloc(300))])),
      v4,
    ],
    ['v2 with checksum', summed(V4), v4],
  ] as const) {
    const verdict = parseProxyHeader(Buffer.concat([bytes, Buffer.from('rest')]));
    t.match(verdict, { kind: 'done', value, used: bytes.length }, name);
    for (let cut = 1; cut < bytes.length; cut++)
      if (parseProxyHeader(bytes.subarray(0, cut)).kind !== 'more') t.fail(`${name} cut at ${cut}`);
  }
});

t.test('headers that are refused', async t => {
  const wrong = summed(V4);
  wrong[16] = 10;
  for (const [name, bytes] of [
    ['no header', Buffer.from(REQUEST)],
    ['v1 of unknown family', Buffer.from('PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n')],
    ['v1 with an address of the other family', Buffer.from('PROXY TCP4 ::1 ::1 1 1\r\n')],
    ['v1 with a bad port', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 70000 1\r\n')],
    ['v1 with a port with zeros', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n')],
    ['v1 with a word too many', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n')],
    ['v1 without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
    ['v1 too long', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}\r\n`)],
    ['v2 of another version', Buffer.concat([SIGNATURE, Buffer.from([0x31, 0x11, 0, 12]), V4])],
    ['v2 of unknown command', v2(2, 0x11, V4)],
    ['v2 over UDP', v2(1, 0x12, V4)],
    ['v2 too short', v2(1, 0x11, V4.subarray(0, 8))],
    ['v2 too long', v2(1, 0x11, Buffer.alloc(5000))],
    ['v2 with a cut TLV', v2(1, 0x11, Buffer.concat([V4, Buffer.from([2, 0, 9, 1])]))],
    ['v2 with a wrong checksum', wrong],
  ] as const)
    t.equal(parseProxyHeader(bytes).kind, 'bad', name);
});

const REQUIRED = { proxy_protocol: 'required', proxy_protocol_from: ['127.0.0.0/8'] };

t.test('the client is who the header says, also when it comes in pieces', async t => {
  const harness = await startListener(t, { listener: REQUIRED });
  const client = await rawConnect(harness.port);
  client.socket.setNoDelay(true);
  for (const byte of Buffer.concat([v2(1, 0x11, V4), Buffer.from(REQUEST)])) {
    client.send(Buffer.from([byte]));
    await new Promise(resolve => setImmediate(resolve));
  }
  t.match(await client.whole(), /200 OK/);
  const { connection } = (await harness.next()).incoming;
  t.match(connection, { remoteAddress: '192.0.2.1', remotePort: 8080, localPort: 443 });
  t.match(
    await exchangeRaw(harness.port, `${v2(0, 0, Buffer.alloc(0)).toString('latin1')}${REQUEST}`),
    /200 OK/,
  );
  t.equal((await harness.next()).incoming.connection.remoteAddress, '127.0.0.1', 'LOCAL is the peer itself');
});

t.test('without a header, from an unlisted peer, or too slowly: closed without an answer', async t => {
  const harness = await startListener(t, { listener: REQUIRED, limits: { head_timeout: 60 } });
  t.equal(await exchangeRaw(harness.port, REQUEST), '');
  t.equal(await exchangeRaw(harness.port, 'PROXY TCP4 1.2.3.4 '), '', 'too slow');
  const closed = await startListener(t, { listener: { ...REQUIRED, proxy_protocol_from: ['10.0.0.0/8'] } });
  t.equal(await exchangeRaw(closed.port, `PROXY UNKNOWN\r\n${REQUEST}`), '');
  const off = await startListener(t);
  t.match(await exchangeRaw(off.port, `PROXY UNKNOWN\r\n${REQUEST}`), /^HTTP\/1.1 400/, 'never sniffed');
  t.equal(harness.exchanges.length + closed.exchanges.length + off.exchanges.length, 0);
});

t.test('the header comes before TLS', async t => {
  const authority = makeAuthority();
  const harness = await startListener(t, {
    listener: REQUIRED,
    certificates: [authority.issue(['localhost'])],
  });
  const plain = await rawConnect(harness.port);
  plain.send('PROXY TCP4 203.0.113.7 203.0.113.8 1234 443\r\n');
  plain.socket.removeAllListeners('data');
  const secure = (await import('node:tls')).connect({
    socket: plain.socket,
    ca: authority.ca,
    servername: 'localhost',
  });
  secure.write(REQUEST);
  const { incoming } = await harness.next();
  t.equal(incoming.connection.remoteAddress, '203.0.113.7');
  t.equal(incoming.connection.tls?.serverName, 'localhost');
  secure.destroy();
});
