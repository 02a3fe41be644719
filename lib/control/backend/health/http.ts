// The HTTP check: one GET on a new connection, judged by its status; the body is not waited for.

import { request } from 'node:http';
import { connect as h2Connect } from 'node:http2';
import type { Socket } from 'node:net';
import type { HealthConfig } from '../../../config/cluster.ts';
import { CheckFailure } from './detail.ts';
import { agreedToH2, dial, type Target } from './dial.ts';

type HttpCheck = NonNullable<HealthConfig['http']>;

/** So that a backend's own log tells checks from traffic. */
const USER_AGENT = 'leaseway-check';

/** Resolves with the detail, such as `HTTP 200`; throws on another status or no answer. */
export async function checkHttp(check: HttpCheck, target: Target, signal: AbortSignal): Promise<string> {
  const { protocol, url } = target;
  const alpn = { http1: ['http/1.1'], h2: ['h2'], auto: ['h2', 'http/1.1'] }[protocol];
  const socket = await dial(target, alpn, signal);
  try {
    const secure = url.protocol === 'https:';
    if (secure && protocol === 'h2' && !agreedToH2(socket))
      throw new CheckFailure('does not speak HTTP/2 (no h2 by ALPN)');
    const useH2 = secure ? agreedToH2(socket) : protocol === 'h2';
    const host = check.host ?? url.host;
    const status = await (useH2 ? askH2 : askHttp1)(socket, url, check.path, host);
    const healthy = check.status?.includes(status) ?? (status >= 200 && status <= 399);
    if (!healthy) throw new CheckFailure(`HTTP ${status}`);
    return `HTTP ${status}`;
  } finally {
    socket.destroy();
  }
}

function askHttp1(socket: Socket, _url: URL, path: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        createConnection: () => socket,
        path,
        headers: { host, 'user-agent': USER_AGENT, accept: '*/*', connection: 'close' },
      },
      answer => {
        // Destroyed below with its socket; what breaks after the head is of no interest.
        answer.on('error', () => {});
        resolve(answer.statusCode ?? 0);
      },
    );
    asked.on('error', reject);
    asked.on('upgrade', (_answer, upgraded) => {
      upgraded.destroy();
      reject(new CheckFailure('HTTP 101'));
    });
    asked.end();
  });
}

function askH2(socket: Socket, url: URL, path: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = h2Connect(url.origin, { createConnection: () => socket });
    session.on('error', reject);
    session.on('close', () => reject(new CheckFailure('closed without an answer')));
    session.on('goaway', code => reject(new CheckFailure(`GOAWAY ${code}`)));
    const stream = session.request(
      { ':method': 'GET', ':path': path, ':authority': host, 'user-agent': USER_AGENT, accept: '*/*' },
      { endStream: true },
    );
    stream.on('error', reject);
    stream.on('response', headers => {
      resolve(headers[':status'] ?? 0);
      session.destroy();
    });
  });
}
