// A backend that costs little: answers every head with `ok`, and echoes WebSocket messages. Says its port on stdout.

import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok');
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let text = '';
  const heads = (chunk: Buffer): void => {
    text += chunk.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      const key = /^sec-websocket-key: *(.+)$/im.exec(head)?.[1];
      if (key === undefined) socket.write(ANSWER);
      else {
        const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket.removeListener('data', heads);
        echo(socket);
        return;
      }
    }
  };
  socket.on('data', heads);
}

/** Masked frames of less than 64 KiB come back without their mask, which is zero here. */
function echo(socket: Socket): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < 6) return;
      const short = held[1]! & 0x7f;
      const extended = short === 126 ? 2 : 0;
      const start = 2 + extended;
      if (held.length < start + 4) return;
      const length = extended === 0 ? short : held.readUInt16BE(2);
      const whole = start + 4 + length;
      if (held.length < whole) return;
      const answer = Buffer.allocUnsafe(start + length);
      held.copy(answer, 0, 0, start);
      answer[1] = short;
      held.copy(answer, start, start + 4, whole);
      socket.write(answer);
      held = held.subarray(whole);
    }
  });
}

const server = createServer(serve).listen(0, '127.0.0.1', 1024, () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`);
});
process.on('disconnect', () => process.exit());
