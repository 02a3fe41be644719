// Waits for a condition that nobody announces, by looking again at each turn of the event loop.

/** Rejects after `withinMs`, naming what it waited for. */
export async function until(what: string, isSo: () => boolean, withinMs = 5_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}
