// Reads the first bytes of a connection until a parser has seen enough; bounded in bytes and time.

import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';

/** `used` bytes belong to what was parsed; the rest goes back to the socket. */
export type Verdict<T> =
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly value: T; readonly used: number }
  | { readonly kind: 'bad'; readonly detail: string };

export const MORE: Verdict<never> = { kind: 'more' };

/** Calls exactly one of `done` and `failed`, unless the socket closes first. The socket is left paused, unread bytes put back. */
export function peek<T>(
  socket: Socket,
  clock: Clock,
  bounds: { readonly bytes: number; readonly ms: number },
  parse: (bytes: Buffer) => Verdict<T>,
  done: (value: T) => void,
  failed: (detail: string) => void,
): void {
  let held: Buffer = Buffer.alloc(0);
  const stop = (): void => {
    timer[Symbol.dispose]();
    socket.removeListener('readable', onReadable);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', stop);
  };
  const fail = (detail: string): void => {
    stop();
    failed(detail);
  };
  const onEnd = (): void => fail('the client left before it said anything');
  const onReadable = (): void => {
    let chunk: Buffer | null = socket.read();
    for (; chunk !== null; chunk = socket.read())
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (held.length === 0) return;
    const verdict = parse(held);
    if (verdict.kind === 'bad') return fail(verdict.detail);
    if (verdict.kind === 'more') {
      if (held.length >= bounds.bytes) fail('no end within the bytes allowed');
      return;
    }
    stop();
    if (verdict.used < held.length) socket.unshift(held.subarray(verdict.used));
    done(verdict.value);
  };
  const timer = clock.after(bounds.ms, () => fail('the first bytes did not arrive in time'));
  socket.on('readable', onReadable);
  socket.on('end', onEnd);
  socket.on('close', stop);
}
