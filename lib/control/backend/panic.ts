// Panic: when few backends are usable, sending all traffic to them would crush them too, so health is ignored.

/**
 * True when fewer than `share` of the backends that were judged are usable. `judged` leaves out what operators took out
 * and what has not been checked yet, so that neither a drain nor a scale-out looks like a catastrophe. A share of 0
 * switches it off. The source is Envoy's panic threshold.
 */
export function inPanic(usable: number, judged: number, share: number): boolean {
  return judged > 0 && share > 0 && usable < share * judged;
}
