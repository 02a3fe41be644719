// The agents beside the servers: each tells every proxy now and then what it sees, a moment late and not exactly.

import { logNormal, streamOf } from '../chance.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ScenarioConfig } from '../scenario/schema.ts';
import { type ControlSite, TICK_MS } from './control-site.ts';
import type { Fleet } from './fleet.ts';

/** Memory is counted in pages and nearly exact. */
const MEMORY_NOISE = 0.01;

/** Starts telling, and the control ticks of those who are told. */
export function startAgents(
  { every, delay, noise }: NonNullable<ScenarioConfig['agent']>,
  fleet: Fleet,
  sites: readonly ControlSite[],
  seed: number,
  kernel: Kernel,
): void {
  const randoms = Array.from({ length: fleet.size }, (_, slot) => streamOf(seed, `agent ${slot}`));
  const usedMs = new Float64Array(fleet.size);
  const tell = kernel.register(slot => {
    const random = randoms[slot]!;
    const used = (fleet.usedMs(slot) - usedMs[slot]!) / every;
    usedMs[slot] = fleet.usedMs(slot);
    const word = {
      capacity: fleet.capacity(slot) * logNormal(random, noise),
      used: used * logNormal(random, noise),
      memory: fleet.memory(slot) * logNormal(random, MEMORY_NOISE),
      atMs: kernel.monotonicMs(),
    };
    kernel.after(delay, () => {
      for (const site of sites) site.told(slot, word);
    });
    kernel.schedule(every, tell, slot, 0);
  });
  for (let slot = 0; slot < fleet.size; slot++)
    kernel.schedule(every * ((slot + 1) / fleet.size), tell, slot, 0);
  const tick = kernel.register(index => {
    sites[index]!.tick();
    kernel.schedule(TICK_MS, tick, index, 0);
  });
  for (let index = 0; index < sites.length; index++)
    kernel.schedule(TICK_MS * ((index + 1) / sites.length), tick, index, 0);
}
