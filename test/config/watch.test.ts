// Watching: however files are changed, it is noticed once, after they are quiet, and without real time in the test.

import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { watchConfig } from '../../lib/config/watch.ts';
import type { Clock } from '../../lib/core/clock.ts';

/** Time that stands still until it is moved; `armed` resolves when a timer of that length is set. */
class HandClock implements Clock {
  #now = 0;
  #timers = new Set<{ at: number; ms: number; run: () => void }>();
  #waiting: { ms: number; go: () => void }[] = [];
  monotonicMs = (): number => this.#now;
  wallMs = (): number => this.#now;
  after(ms: number, run: () => void): Disposable {
    const timer = { at: this.#now + ms, ms, run };
    this.#timers.add(timer);
    for (const waiter of this.#waiting.filter(w => w.ms === ms)) waiter.go();
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }
  armed(ms: number): Promise<void> {
    if ([...this.#timers].some(timer => timer.ms === ms)) return Promise.resolve();
    return new Promise(go => this.#waiting.push({ ms, go }));
  }
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = [...this.#timers].filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
    }
    this.#now = until;
  }
}

// The watches themselves do not keep a process alive; in the proxy its sockets do, here this one does.
const alive = watch(import.meta.dirname);
t.teardown(() => alive.close());

const POLL_MS = 5_000;
const DEBOUNCE_MS = 200;

function watching(t: Test, path: string, files: readonly string[]) {
  const clock = new HandClock();
  let changes = 0;
  const handle = watchConfig(path, files, { clock, onChange: () => changes++ });
  t.teardown(() => handle[Symbol.dispose]());
  return {
    clock,
    handle,
    /** Changes reported since it was last asked, after a poll. */
    polled(): number {
      clock.pass(POLL_MS);
      const seen = changes;
      changes = 0;
      return seen;
    },
    changes: () => changes,
  };
}

const folderOf = (t: Test): string => t.testdir({ 'leaseway.yaml': 'a', clusters: { 'web.yaml': 'b' } });
const replace = (file: string, text: string): void => {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};

t.test('an event is followed by quiet, then by one report', async t => {
  const folder = folderOf(t);
  const { clock, changes } = watching(t, folder, [join(folder, 'leaseway.yaml')]);
  writeFileSync(join(folder, 'leaseway.yaml'), 'longer');
  await clock.armed(DEBOUNCE_MS);
  t.equal(changes(), 0, 'not before it is quiet');
  clock.pass(DEBOUNCE_MS);
  t.equal(changes(), 1);
});

t.test('a file that is renamed over another is noticed, again and again', async t => {
  const folder = folderOf(t);
  const { polled } = watching(t, folder, [join(folder, 'leaseway.yaml')]);
  for (const text of ['one', 'two', 'three']) {
    replace(join(folder, 'leaseway.yaml'), text);
    t.equal(polled(), 1, text);
  }
  t.equal(polled(), 0, 'and nothing when nothing changed');
});

t.test('cluster files that come, change and go are noticed; other files are not', async t => {
  const folder = folderOf(t);
  const { polled } = watching(t, folder, [join(folder, 'leaseway.yaml'), join(folder, 'clusters/web.yaml')]);
  writeFileSync(join(folder, 'clusters/chat.yaml'), 'c');
  t.equal(polled(), 1, 'comes');
  writeFileSync(join(folder, 'clusters/chat.yaml'), 'changed');
  t.equal(polled(), 1, 'changes');
  unlinkSync(join(folder, 'clusters/chat.yaml'));
  t.equal(polled(), 1, 'goes');
  writeFileSync(join(folder, 'clusters/.chat.yaml.swp'), 'x');
  writeFileSync(join(folder, 'notes.txt'), 'x');
  t.equal(polled(), 0, 'an editor’s own files');
});

t.test('a clusters folder that is made later is noticed', async t => {
  const folder = t.testdir({ 'leaseway.yaml': 'a' });
  const { polled } = watching(t, folder, [join(folder, 'leaseway.yaml')]);
  mkdirSync(join(folder, 'clusters'));
  writeFileSync(join(folder, 'clusters/web.yaml'), 'b');
  t.equal(polled(), 1);
});

t.test('a Kubernetes volume: ..data is swapped, the files in it are links through it', async t => {
  const folder = t.testdir({ '..1': { 'leaseway.yaml': 'a' }, '..2': { 'leaseway.yaml': 'b' } });
  symlinkSync('..1', join(folder, '..data'));
  symlinkSync('..data/leaseway.yaml', join(folder, 'leaseway.yaml'));
  const { clock, changes } = watching(t, folder, [join(folder, 'leaseway.yaml')]);
  symlinkSync('..2', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  await clock.armed(DEBOUNCE_MS);
  rmSync(join(folder, '..1'), { recursive: true });
  clock.pass(DEBOUNCE_MS);
  t.equal(changes(), 1);
});

t.test('certificates are watched where they lie, and follow the configuration', async t => {
  const base = t.testdir({ config: { 'leaseway.yaml': 'a' }, tls: { 'a.crt': 'a' } });
  const folder = join(base, 'config');
  const root = join(folder, 'leaseway.yaml');
  const pem = join(base, 'tls/a.crt');
  const { polled, handle } = watching(t, folder, [root, pem]);
  replace(pem, 'renewed');
  t.equal(polled(), 1);
  handle.setFiles([root]);
  replace(pem, 'renewed once more');
  t.equal(polled(), 0, 'no longer named by the configuration');
});

t.test('a change while the last load ran is reported', async t => {
  const folder = folderOf(t);
  const root = join(folder, 'leaseway.yaml');
  const { polled, handle } = watching(t, folder, [root]);
  replace(root, 'changed meanwhile');
  handle.setFiles([root]);
  t.equal(polled(), 1);
});

t.test('a single file, removed and written anew', async t => {
  const folder = t.testdir({ 'all.yaml': 'a' });
  const file = join(folder, 'all.yaml');
  const { polled } = watching(t, file, [file]);
  unlinkSync(file);
  t.equal(polled(), 1);
  writeFileSync(file, 'b');
  t.equal(polled(), 1);
});

t.test('after disposal nothing is reported', async t => {
  const folder = folderOf(t);
  const { polled, handle } = watching(t, folder, [join(folder, 'leaseway.yaml')]);
  handle[Symbol.dispose]();
  replace(join(folder, 'leaseway.yaml'), 'late');
  t.equal(polled(), 0);
});
