// `npm run demo:migrate`: a job is announced that would overload a backend; its users are moved before it begins, and none is disconnected.
// Beside them, on the same machine at the same time, the same users where nobody is moved. Takes some 40 seconds.

import { JOB, LATE_MS, type Look, runWorld, type SideFigures } from './demo-world.ts';

const OPTIONS = { calmMs: 9_000, aheadMs: 12_000, jobMs: 20_000, watchMs: 10_000 };
const PHASES = { calm: '', announced: 'announced', job: 'JOB RUNS', after: '' } as const;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const share = (load: number | null): string => (load === null ? '-' : load.toFixed(2)).padStart(5);

function figures({ load, foreseen, users, slowestMs }: SideFigures, withForecast: boolean): string {
  const ahead = withForecast ? share(foreseen) : '';
  return `${share(load)} ${ahead}  ${users.map(n => String(n).padStart(2)).join(' ')} ${slowestMs.toFixed(0).padStart(6)}`;
}

function line({ atMs, phase, moved, stays }: Look): string {
  const second = (atMs / 1000).toFixed(0).padStart(3);
  return `${second} s  ${PHASES[phase].padEnd(9)} | ${figures(moved, true)} | ${figures(stays, false)}`;
}

say(
  `Twice 60 users on three backends, four messages a second each. ${JOB.backend} will get a job that makes each message ${JOB.factor} times as dear.`,
);
say('Load is a share of what a backend can do: over 1 its queue grows.\n');
say(`                 | users may be moved               | users stay`);
say(`                 | load of b1  users on   slowest   | load  users on   slowest`);
say(`                 |   now ahead b1 b2 b3 answer, ms  |   b1  b1 b2 b3 answer, ms`);
let before: Look['phase'] = 'calm';
const { last, movedBefore, holdsMs, overloaded, command } = await runWorld(OPTIONS, look => {
  if (look.phase !== before && look.phase === 'announced')
    say(`       $ leaseway announce moved/${JOB.backend} --factor ${JOB.factor} …`);
  before = look.phase;
  say(line(look));
});
const holds = holdsMs.toSorted((a, b) => a - b);
const { moved, stays } = last;
say(`\nannounced with: ${command}`);
say(
  `moved before the job: ${movedBefore} of ${JOB.backend}'s users, ${holds.length} in all; held ${holds.at(-1)?.toFixed(1) ?? '-'} ms at most`,
);
for (const [name, side, over] of [
  ['may be moved', moved, overloaded.moved],
  ['stay', stays, overloaded.stays],
] as const)
  say(
    `users ${name}: ${side.disconnects} disconnected; ${JOB.backend} over 1 for ${over} s; ${side.late} of ${side.answers} answers later than ${LATE_MS} ms, p99 ${side.p99Ms.toFixed(0)} ms`,
  );
process.exitCode = moved.disconnects === 0 && movedBefore > 0 && moved.late < stays.late ? 0 : 1;
