import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { startExamples } from '../../lib/cli/examples.ts';

const examples = await startExamples([0, 0, 0]);
t.teardown(() => examples[Symbol.asyncDispose]());
const lines = examples.lines(['http://localhost:8080'], { address: '127.0.0.1:0', port: 9900, fd: 1 });
const ports = /ports (\d+), (\d+), (\d+)/.exec(lines.join('\n'))!.slice(1).map(Number);
const base = `http://127.0.0.1:${ports[0]}`;

t.test('what to try next is told with the ports that are really used', async t => {
  t.match(lines.join('\n'), /curl .*http:\/\/localhost:8080\//);
  t.match(lines.join('\n'), `npm run -s leaseway -- drain web/127.0.0.1:${ports[0]}`);
  t.match(lines.join('\n'), /http:\/\/localhost:9900/);
});

t.test('each backend names itself', async t => {
  const names = await Promise.all(
    ports.map(port => fetch(`http://127.0.0.1:${port}/whoami`).then(r => r.text())),
  );
  t.same(names, ['backend-1\n', 'backend-2\n', 'backend-3\n']);
  const page = await fetch(`${base}/`);
  t.match(page.headers.get('content-type'), /text\/html/);
  t.match(await page.text(), /came from <span>backend-1<\/span>/);
});

t.test('health, slow answers and unknown paths', async t => {
  t.equal((await fetch(`${base}/healthz`)).status, 200);
  t.equal(await (await fetch(`${base}/slow?ms=5`)).text(), 'backend-1 took 5 ms\n');
  t.equal((await fetch(`${base}/nothing`)).status, 404);
});

t.test('the stream sends events until the client leaves', async t => {
  const aborter = new AbortController();
  const answer = await fetch(`${base}/stream`, { signal: aborter.signal });
  t.match(answer.headers.get('content-type'), 'text/event-stream');
  const { value } = await answer.body!.getReader().read();
  t.equal(Buffer.from(value!).toString(), 'id: 1\ndata: backend-1 says 1\n\n');
  aborter.abort();
});

t.test('the WebSocket echoes every size, kind and fragment', async t => {
  const socket = new WebSocket(`ws://127.0.0.1:${ports[0]}/ws`);
  await once(socket, 'open');
  const echo = async (payload: string | Buffer): Promise<[Buffer, boolean]> => {
    socket.send(payload);
    return (await once(socket, 'message')) as [Buffer, boolean];
  };
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
    const sent = Buffer.alloc(size, size % 251);
    const [data, binary] = await echo(sent);
    t.ok(binary && data.equals(sent), `${size} bytes`);
  }
  const [text, binary] = await echo('grüße');
  t.same([text.toString(), binary], ['grüße', false]);
  socket.send('two ', { fin: false });
  socket.send('halves', { fin: true });
  t.equal(String((await once(socket, 'message'))[0]), 'two halves');
  socket.ping('are you there');
  t.equal(String((await once(socket, 'pong'))[0]), 'are you there');
  socket.close(4001, 'bye');
  t.equal((await once(socket, 'close'))[0], 4001);
});

t.test('a WebSocket that asks is greeted', async t => {
  const socket = new WebSocket(`ws://127.0.0.1:${ports[1]}/ws?hello`);
  t.equal(String((await once(socket, 'message'))[0]), 'backend-2 is here');
  socket.terminate();
});

t.test('frames that are not masked, and other paths, are refused', async t => {
  const socket = connect(ports[0]!, '127.0.0.1');
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [head] = await once(socket, 'data');
  t.match(
    String(head),
    /^HTTP\/1\.1 101 [\s\S]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/,
    'the accept of RFC 6455, section 1.3',
  );
  socket.write(Buffer.from([0x81, 0x01, 0x41]));
  const [close] = await once(socket, 'data');
  t.same([...close], [0x88, 2, 1002 >> 8, 1002 & 0xff]);
  socket.destroy();
  const other = new WebSocket(`${base.replace('http', 'ws')}/other`);
  t.match((await once(other, 'error'))[0].message, /404/);
});

t.test('a port that is taken is named, with what to do', async t => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as { port: number };
  await t.rejects(startExamples([0, port]), {
    message: new RegExp(`127\\.0\\.0\\.1:${port}.*--with-examples`),
  });
  squatter.close();
});

t.test('ending them ends the process', async t => {
  const others = await startExamples([0]);
  await others[Symbol.asyncDispose]();
  t.throws(() => process.kill(others.pid, 0), { code: 'ESRCH' });
});
