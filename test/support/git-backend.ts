// git over HTTP for tests: `git http-backend` by CGI (RFC 3875), one process a request, as Apache would run it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What came of one request. */
export interface GitRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** The answer's head was written while the body still came. */
  earlyAnswer: boolean;
  bodyBytes: number;
}

export class GitBackend implements AsyncDisposable {
  readonly requests: GitRequest[] = [];
  /** What git said on stderr. */
  readonly complaints: string[] = [];
  readonly #server: Server;
  /** Holds the repositories; pushes are allowed without a password. */
  readonly #root: string;

  private constructor(root: string, server: Server) {
    this.#root = root;
    this.#server = server;
  }

  static async start(root: string): Promise<GitBackend> {
    const server = createServer();
    const backend = new GitBackend(root, server);
    server.on('request', (request, response) => backend.#serve(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close').catch(() => {});
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request;
    const seen: GitRequest = { method, url, headers, earlyAnswer: false, bodyBytes: 0 };
    this.requests.push(seen);
    const child = spawn('git', ['http-backend'], { env: this.#environment(request) });
    request.on('data', chunk => {
      seen.bodyBytes += chunk.length;
    });
    request.pipe(child.stdin);
    // git may have heard enough before the client has said all.
    child.stdin.on('error', () => request.resume());
    child.stderr.setEncoding('utf8').on('data', text => this.complaints.push(text));
    let head = Buffer.alloc(0);
    child.stdout.on('data', (chunk: Buffer) => {
      if (response.headersSent) return void this.#pass(child.stdout, response, chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      seen.earlyAnswer = !request.complete;
      writeHead(response, head.subarray(0, end).toString('latin1'));
      this.#pass(child.stdout, response, head.subarray(end + 4));
    });
    child.stdout.on('end', () => response.end());
    response.on('close', () => child.kill());
  }

  #pass(source: NodeJS.ReadableStream, response: ServerResponse, chunk: Buffer): void {
    if (response.write(chunk)) return;
    source.pause();
    response.once('drain', () => source.resume());
  }

  #environment({ method, url, headers, socket }: IncomingMessage): NodeJS.ProcessEnv {
    const { pathname, searchParams } = new URL(url ?? '/', 'http://git');
    return {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: this.#root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      GIT_CONFIG_KEY_1: 'safe.directory',
      GIT_CONFIG_VALUE_1: '*',
      REQUEST_METHOD: method,
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      REMOTE_ADDR: socket.remoteAddress,
      CONTENT_TYPE: headers['content-type'],
      CONTENT_LENGTH: headers['content-length'],
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
      HTTP_GIT_PROTOCOL: headers['git-protocol'] as string | undefined,
    };
  }
}

function writeHead(response: ServerResponse, text: string): void {
  let status = 200;
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
}

/** Quiet, without the settings of whoever runs the tests. */
const GIT_ENVIRONMENT: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))),
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
};

/** Runs git to its end, at once; throws with what it said. */
export function gitSync(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd,
    env: GIT_ENVIRONMENT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** Runs git while this process serves; `trace` is what curl said on the wire. */
export async function git(cwd: string, ...args: string[]): Promise<{ trace: string }> {
  const child = spawn('git', args, {
    cwd,
    env: { ...GIT_ENVIRONMENT, GIT_TRACE_CURL: '1', GIT_TRACE_CURL_NO_DATA: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let trace = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    trace += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`git ${args.join(' ')} ended with ${code}:\n${trace.slice(-4000)}`);
  return { trace };
}
