// Asks one agent: connect, perhaps say something, read one line.

import { connect } from 'node:net';
import { CheckFailure } from '../backend/health/detail.ts';
import { MOST_LINE_BYTES } from './agent-line.ts';

/** Resolves with the first line, without its end; rejects when there is none. Aborting ends it at once. */
export function askAgent(
  host: string,
  port: number,
  send: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let text = '';
    const abort = (): void => void socket.destroy(new Error('aborted'));
    const done = (): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      const line = /^[^\r\n\0]*/.exec(text)![0];
      if (line.trim() === '') reject(new CheckFailure('closed without an answer'));
      else resolve(line);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', error => {
      signal.removeEventListener('abort', abort);
      reject(error);
    });
    socket.on('connect', () => {
      if (send !== undefined) socket.write(send);
    });
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      if (text.length >= MOST_LINE_BYTES) {
        text = text.slice(0, MOST_LINE_BYTES);
        done();
      } else if (/[\r\n\0]/.test(text)) done();
    });
    socket.on('end', done);
    socket.on('close', () => reject(new CheckFailure('closed without an answer')));
    if (signal.aborted) abort();
  });
}
