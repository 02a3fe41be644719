// npm run fuzz [-- MESSAGES [SEED]]: a million messages by default, for ten minutes at most.

import { fuzz } from './run.ts';

const messages = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const LIMIT_MS = 10 * 60_000;

process.stdout.write(`${messages} messages, seed ${seed}\n`);
const started = performance.now();
const report = await fuzz({ messages, seed, limitMs: LIMIT_MS });
const seconds = ((performance.now() - started) / 1000).toFixed(0);
process.stdout.write(
  `${report.messages} read in ${seconds} s: ${report.agreed} alike, ${report.refused} refused or unfinished by both\n`,
);
for (const [name, count] of [...report.meant].sort((a, b) => b[1] - a[1]))
  process.stdout.write(`${String(count).padStart(8)}  ${name}\n`);
