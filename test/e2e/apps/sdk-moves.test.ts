// WebSockets of the SDK that change their backend through the running proxy: new first, then the end of the old; every message is counted.

import t, { type Test } from 'tap';
import { percentile } from '../../support/percentile.ts';
import { allWhole, listed, type SdkStage, sdkClients, sdkStage, talking } from '../../support/sdk-stage.ts';

/** How often each client is moved, by an operator, `atOnce` at a time; how that ended. */
async function moveAll(
  t: Test,
  stage: SdkStage,
  rounds: number,
  atOnce: number,
): Promise<Map<string, number>> {
  const results = new Map<string, number>();
  const holds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const waiting = (await listed(stage)).filter(({ movable }) => movable);
    const mover = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        const { body } = await stage.leaseway.admin(`/v1/connections/${one.id}/move`, 'POST', {});
        results.set(body.result, (results.get(body.result) ?? 0) + 1);
        if (body.result !== 'moved') t.comment(JSON.stringify(body));
        holds.push(body.holdMs);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, mover));
  }
  const at = (q: number): string => percentile(holds, q).toFixed(1);
  t.comment(`${holds.length} moves, held p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  return results;
}

for (const [name, options, enveloped] of [
  ['plain, co-operative backends', { lateMs: 20 }, false],
  ['plain, backends that know nothing of it', { plain: true }, false],
  ['in the envelope', {}, true],
] as const) {
  t.test(`20 clients, moved five times each under load: ${name}`, { timeout: 90_000 }, async t => {
    const stage = await sdkStage(t, options);
    const clients = await sdkClients(t, stage, 20, enveloped);
    const talk = talking(t, clients);
    const results = await moveAll(t, stage, 5, 4);
    talk[Symbol.dispose]();
    t.same([...results], [['moved', 100]]);
    await allWhole(t, stage, clients);
    for (const { moves, disconnects } of clients) {
      t.equal(moves.length, 5);
      t.ok(moves.every(({ clean }) => clean));
      t.equal(disconnects, 0);
    }
  });
}

for (const enveloped of [false, true])
  t.test(
    `each backend is drained and taken back in turn, ${enveloped ? 'in the envelope' : 'plain'}`,
    { timeout: 90_000 },
    async t => {
      const stage = await sdkStage(t, { cluster: { drain: { pace: 200 } } });
      const { leaseway, backends } = stage;
      const clients = await sdkClients(t, stage, 30, enveloped);
      const talk = talking(t, clients);
      for (const { id } of backends) {
        t.equal((await leaseway.admin(`/v1/backends/web/${id}/drain`, 'POST', { force: true })).status, 200);
        await leaseway.until(async () => (await listed(stage)).every(({ backend }) => backend !== id));
        await leaseway.admin(`/v1/backends/web/${id}/undrain`, 'POST');
      }
      talk[Symbol.dispose]();
      await allWhole(t, stage, clients);
      t.ok(
        clients.every(({ disconnects }) => disconnects === 0),
        'nobody was disconnected',
      );
      const moves = clients.flatMap(client => client.moves);
      t.ok(moves.length >= 30, `${moves.length} moves`);
      t.ok(moves.every(({ clean, reason }) => clean && reason === 'MIGRATION_REASON_DRAIN'));
    },
  );
