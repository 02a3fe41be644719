// The proxies side by side, set to the same features: *bare* balances and says who asked, *full* also keeps sessions by a
// cookie it verifies, counts, and writes an access log.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Leaseway } from '../support/leaseway.ts';
import {
  cpuUs,
  freePort,
  PROXY_CORES,
  pin,
  residentKiB,
  serves,
  start,
  stop,
  TWO_CORES,
} from './rivals-processes.ts';

export type Setting = 'bare' | 'full';

export interface Stage {
  readonly folder: string;
  /** Certificate and key in one file. */
  readonly pem: string;
  readonly cert: string;
  readonly key: string;
  readonly backends: readonly number[];
  readonly websocket: number;
}

export interface Subject {
  readonly name: string;
  readonly port: number;
  /** Of the TLS listener. */
  readonly tlsPort: number;
  cpuUs(): number;
  residentKiB(): number;
  stop(): Promise<void>;
}

interface Ports {
  readonly port: number;
  readonly tlsPort: number;
}

interface Rival {
  readonly program: string;
  /** To print its version. */
  readonly version: readonly string[];
  readonly settings: readonly Setting[];
  /** Writes what it reads and says how it is started. */
  prepare(stage: Stage, setting: Setting, ports: Ports, folder: string): readonly string[];
}

const RIVALS: Readonly<Record<string, Rival>> = {
  haproxy: {
    program: 'haproxy',
    version: ['-v'],
    settings: ['bare', 'full'],
    prepare(stage, setting, ports, folder) {
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, haproxyConfig(stage, setting, ports));
      return ['-db', '-f', file];
    },
  },
  nginx: {
    program: 'nginx',
    version: ['-v'],
    settings: ['bare', 'full'],
    prepare(stage, setting, ports, folder) {
      const file = join(folder, 'nginx.conf');
      writeFileSync(file, nginxConfig(stage, setting, ports, folder));
      return ['-c', file, '-e', join(folder, 'error.log')];
    },
  },
  caddy: {
    program: 'caddy',
    version: ['version'],
    settings: ['bare', 'full'],
    prepare(stage, setting, ports, folder) {
      const file = join(folder, 'Caddyfile');
      writeFileSync(file, caddyConfig(stage, setting, ports, folder));
      return ['run', '--adapter', 'caddyfile', '--config', file];
    },
  },
  'http-proxy': {
    program: process.execPath,
    version: ['-p', '"http-proxy " + require("http-proxy/package.json").version + " on " + process.version'],
    settings: ['bare'],
    prepare: (stage, _setting, { port, tlsPort }) => [
      join(import.meta.dirname, 'rivals-http-proxy-process.ts'),
      ...[port, tlsPort, stage.pem, stage.websocket, ...stage.backends].map(String),
    ],
  },
};

/** leaseway as it is started; the last is for the figure of two workers. */
const OURS: Readonly<Record<string, { http1: string; workers: number }>> = {
  leaseway: { http1: 'native', workers: 1 },
  'leaseway node': { http1: 'node', workers: 1 },
  'leaseway×2': { http1: 'native', workers: 2 },
};

export const PROXIES: readonly string[] = [
  'haproxy',
  'leaseway',
  'leaseway node',
  'nginx',
  'caddy',
  'http-proxy',
];

/** A line about the version of each; throws with how to install what is missing. */
export function versions(programs: readonly string[]): string[] {
  return programs
    .filter(name => name in RIVALS)
    .map(name => {
      const { program, version } = RIVALS[name]!;
      return firstLine(program, version);
    });
}

export function firstLine(program: string, version: readonly string[]): string {
  try {
    // nginx tells it on stderr.
    const text = execFileSync('sh', ['-c', '"$0" "$@" 2>&1 || true', program, ...version], {
      encoding: 'utf8',
    });
    if (text.includes('not found')) throw new Error(text);
    const line = text.split('\n')[0]!;
    return line.toLowerCase().startsWith(program) || program === process.execPath
      ? line
      : `${program} ${line}`;
  } catch {
    throw new Error(
      `${program} is not on PATH; on Debian: apt-get install nginx haproxy caddy wrk nghttp2-client`,
    );
  }
}

/** Undefined when it does not have this setting. */
export async function startProxy(name: string, stage: Stage, setting: Setting): Promise<Subject | undefined> {
  const ours = OURS[name];
  if (ours !== undefined) return startLeaseway(name, ours, stage, setting);
  const rival = RIVALS[name];
  if (rival === undefined) throw new Error(`no proxy ${name}: ${PROXIES.join(', ')}`);
  if (!rival.settings.includes(setting)) return undefined;
  const ports = { port: await freePort(), tlsPort: await freePort() };
  const folder = join(stage.folder, `${name}-${setting}`);
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'output.log');
  const child = start(rival.program, rival.prepare(stage, setting, ports, folder), log);
  try {
    await serves(child, ports.port, log);
  } catch (error) {
    await stop(child);
    throw error;
  }
  pin(child.pid!, PROXY_CORES);
  return { name, ...ports, ...usage(child.pid!), stop: () => stop(child) };
}

async function startLeaseway(
  name: string,
  { http1, workers }: { http1: string; workers: number },
  stage: Stage,
  setting: Setting,
): Promise<Subject> {
  const urls = stage.backends.map(port => `http://127.0.0.1:${port}`);
  const balance = { policy: 'least_request' };
  const leaseway = await Leaseway.start({
    config: {
      ...{ http1, workers, leases: { keys: ['a key that signs the leases of the bench'] } },
      listeners: [
        { address: '127.0.0.1:0', max_connections_per_client: 10_000 },
        { address: '127.0.0.1:0', tls: { certificates: [{ cert: stage.cert, key: stage.key }] } },
      ],
      routes: [{ match: { path: { exact: '/ws' } }, cluster: 'ws' }, { cluster: 'app' }],
      log: { access: setting === 'full' ? join(stage.folder, `${name}.access.log`) : 'off', level: 'warn' },
    },
    clusters: {
      app: { backends: urls, balance, ...(setting === 'full' ? { sticky: { by: 'cookie' } } : {}) },
      ws: { backends: [`http://127.0.0.1:${stage.websocket}`] },
    },
  });
  pin(leaseway.pid, workers > 1 ? TWO_CORES : PROXY_CORES);
  return {
    ...{ name, port: leaseway.port(0), tlsPort: leaseway.port(1) },
    ...usage(leaseway.pid),
    stop: () => leaseway[Symbol.asyncDispose](),
  };
}

const usage = (pid: number): Pick<Subject, 'cpuUs' | 'residentKiB'> => ({
  cpuUs: () => cpuUs(pid),
  residentKiB: () => residentKiB(pid),
});

function haproxyConfig(stage: Stage, setting: Setting, { port, tlsPort }: Ports): string {
  const full = setting === 'full';
  const server = (at: number, i: number): string =>
    `  server s${i} 127.0.0.1:${at} check inter 2s${full ? ` cookie s${i}` : ''}`;
  return `global
  nbthread 1
  maxconn 8000
  ${full ? 'log stdout format raw daemon' : ''}
defaults
  mode http
  timeout connect 2s
  timeout client 75s
  timeout server 60s
  timeout tunnel 1h
  http-reuse always
  ${full ? 'log global\n  option httplog' : ''}
frontend clients
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${tlsPort} ssl crt ${stage.pem} alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header Via "1.1 haproxy"
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  use_backend ws if { path /ws }
  default_backend app
backend app
  balance leastconn
  ${full ? 'cookie session insert indirect nocache httponly' : ''}
${stage.backends.map(server).join('\n')}
backend ws
  server ws 127.0.0.1:${stage.websocket}
`;
}

function nginxConfig(stage: Stage, setting: Setting, { port, tlsPort }: Ports, folder: string): string {
  const full = setting === 'full';
  return `user root;
worker_processes 1;
daemon off;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 16384; }
http {
  access_log ${full ? `${join(folder, 'access.log')} combined` : 'off'};
  keepalive_requests 100000000;
  client_max_body_size 10m;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  ${full ? 'userid on; userid_name session; userid_path /; map $uid_got $held { "" $uid_set; default $uid_got; }' : ''}
  upstream app {
    ${full ? 'hash $held consistent' : 'least_conn'};
    ${stage.backends.map(at => `server 127.0.0.1:${at};`).join(' ')}
    keepalive 256; keepalive_requests 100000000;
  }
  upstream ws { server 127.0.0.1:${stage.websocket}; }
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $host;
  proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header X-Request-Id $request_id;
  proxy_set_header Via "1.1 nginx";
  proxy_set_header Connection "";
  server {
    listen 127.0.0.1:${port} backlog=1024;
    listen 127.0.0.1:${tlsPort} ssl http2 backlog=1024;
    ssl_certificate ${stage.cert};
    ssl_certificate_key ${stage.key};
    location / { proxy_pass http://app; }
    location = /ws {
      proxy_pass http://ws;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
    }
    ${full ? 'location = /nginx-status { stub_status; }' : ''}
  }
}
`;
}

function caddyConfig(stage: Stage, setting: Setting, { port, tlsPort }: Ports, folder: string): string {
  const full = setting === 'full';
  const site = (address: string, tls: string): string => `${address} {
  bind 127.0.0.1
  ${tls}
  ${full ? `log {\n    output file ${join(folder, 'access.log')}\n  }` : ''}
  reverse_proxy /ws 127.0.0.1:${stage.websocket}
  reverse_proxy ${stage.backends.map(at => `127.0.0.1:${at}`).join(' ')} {
    lb_policy ${full ? 'cookie session a-key-that-signs' : 'least_conn'}
    header_up X-Request-Id {http.request.uuid}
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`;
  return `{
  admin off
  auto_https off
  ${full ? 'servers {\n    metrics\n  }' : ''}
}
${site(`http://:${port}`, '')}
${site(`https://:${tlsPort}`, `tls ${stage.cert} ${stage.key}`)}`;
}
