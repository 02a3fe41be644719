// leaseway beside nginx, HAProxy, Caddy and http-proxy, in front of the same backend:
// `npm run bench -- [--short] [--only TEXT,…] [--proxies NAME,…] [--rounds N] [--seconds N] [--json FILE]`.
//
// In each round every proxy meets the same load in turn, alone on its core; what is told are medians over the rounds, and
// ratios to HAProxy within the round, so that other work of the machine weighs on both sides.

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Rounds, rowsFor, table, UNITS } from './rivals-figures.ts';
import { echo, h2load, idle, paced, sessionCookie, WRK_LOADS, wrk } from './rivals-load.ts';
import { ROOM_FOR_TWO } from './rivals-processes.ts';
import { firstLine, PROXIES, type Setting, type Subject, startProxy, versions } from './rivals-proxies.ts';
import { BenchStage } from './rivals-stage.ts';

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    proxies: { type: 'string', default: PROXIES.join(',') },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
  },
});
const seconds = Number(values.seconds ?? (values.short ? 1 : 3));
const rounds = Number(values.rounds ?? (values.short ? 3 : 7));
const idleConnections = 2000;
const proxies = values.proxies.split(',');
const wanted = (figure: string): boolean =>
  values.only === '' || values.only.split(',').some(text => figure.includes(text));

/** For the compilers of those that have one. */
const WARM_UP_S = 2;

const quantities = new Map<string, Map<string, number[]>>();
function note(key: string, proxy: string, value: number): void {
  const byProxy = quantities.get(key) ?? new Map<string, number[]>();
  quantities.set(key, byProxy);
  const soFar = byProxy.get(proxy) ?? [];
  byProxy.set(proxy, soFar);
  soFar.push(value);
}

interface Stood {
  readonly proxy: Subject;
  readonly cookie: string;
}

async function measure(
  setting: Setting,
  figure: string,
  { proxy, cookie }: Stood,
  folder: string,
): Promise<void> {
  const key = `${setting}/${figure}`;
  if (figure === 'half load') {
    const { rate } = await wrk(proxy, 'repeated heads', seconds, cookie, folder);
    const { p50Ms, p99Ms } = await paced(proxy, rate / 2, seconds, cookie);
    note(`${key}/p50`, proxy.name, p50Ms);
    note(`${key}/p99`, proxy.name, p99Ms);
  } else if (figure.startsWith('idle')) {
    note(`${key}/memory`, proxy.name, await idle(proxy, idleConnections, figure.includes('WebSocket')));
  } else {
    const { cpu, rate } =
      figure === 'HTTP/2'
        ? await h2load(proxy, seconds)
        : figure.startsWith('WebSocket')
          ? await echo(proxy, figure.includes('4 KiB') ? 4096 : 64, seconds)
          : await wrk(proxy, figure === 'two workers' ? 'repeated heads' : figure, seconds, cookie, folder);
    note(`${key}/cpu`, proxy.name, cpu);
    note(`${key}/rate`, proxy.name, rate);
  }
}

const OTHERS = ['HTTP/2', 'WebSocket 64 B', 'WebSocket 4 KiB', 'half load'];
const IDLE = ['idle keep-alive', 'idle WebSocket'];
/** Idle connections are opened at processes that have just begun: what earlier load has left free would hide them. */
const IDLE_ROUNDS = 3;
const FIGURES: Readonly<Record<Setting, readonly string[]>> = {
  bare: [...WRK_LOADS, ...OTHERS],
  full: ['small GET', 'repeated heads', 'heads that differ', 'half load'],
};

/** All proxies of a setting stand through its rounds; who is not measured has nothing to do. */
async function play(
  setting: Setting,
  figures: readonly string[],
  names: readonly string[],
  stage: BenchStage,
  times = rounds,
): Promise<void> {
  const chosen = figures.filter(figure => wanted(`${setting}/${figure}`));
  if (chosen.length === 0) return;
  const standing: Stood[] = [];
  try {
    for (const name of names) {
      const proxy = await startProxy(name, stage, setting);
      if (proxy !== undefined)
        standing.push({ proxy, cookie: setting === 'full' ? await sessionCookie(proxy) : '' });
    }
    for (const { proxy, cookie } of standing)
      await wrk(proxy, 'repeated heads', Math.max(WARM_UP_S, seconds), cookie, stage.folder);
    for (let round = 1; round <= times; round++)
      for (const figure of chosen) {
        for (const stood of standing) await measure(setting, figure, stood, stage.folder);
        process.stderr.write(`${setting}, round ${round} of ${times}: ${figure}\n`);
      }
  } finally {
    for (const { proxy } of standing) await proxy.stop();
  }
}

for (const line of versions([...proxies, 'nginx'])) process.stdout.write(`${line}\n`);
process.stdout.write(
  `${firstLine('wrk', ['--version'])}\n${firstLine('h2load', ['--version'])}\nNode ${process.version}, ${availableParallelism()} cores\n\n`,
);
await using stage = await BenchStage.open();
await play('bare', FIGURES.bare, proxies, stage);
for (let round = 0; round < Math.min(rounds, IDLE_ROUNDS); round++)
  await play('bare', IDLE, proxies, stage, 1);
await play('full', FIGURES.full, proxies, stage);
if (!ROOM_FOR_TWO)
  process.stdout.write(
    'two workers: not told here, where load and backend have no cores of their own (4 are needed)\n\n',
  );
else if (values.proxies === PROXIES.join(',') || values.only.includes('two workers'))
  await play('bare', ['two workers'], ['leaseway', 'leaseway×2'], stage);

const rows = rowsFor('leaseway', quantities satisfies ReadonlyMap<string, Rounds>);
for (const quantity of Object.keys(UNITS)) {
  const text = table(quantity, quantities, proxies);
  if (text !== '') process.stdout.write(`${text}\n\n`);
}
for (const { figure, value, unit, sense, goal, baseline } of rows.filter(row => row.goal !== null)) {
  const met = sense === '<=' ? value <= goal! : value >= goal!;
  const to = baseline === '' ? '' : ` of ${baseline}`;
  process.stdout.write(
    `${met ? 'met   ' : 'MISSED'} ${figure}${to}: ${value} ${unit} (goal ${sense} ${goal})\n`,
  );
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
