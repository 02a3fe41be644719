// Which values may be believed.

import t from 'tap';
import { isBelievable, SIGNAL_KINDS, SIGNAL_LIMITS } from '../../../lib/core/signal-kinds.ts';
import { NO_SIGNALS, type SignalView } from '../../../lib/plan/load/signals.ts';

t.test('every kind takes zero and its limit, and nothing that is no load', async t => {
  for (const kind of SIGNAL_KINDS) {
    t.ok(isBelievable(kind, 0), `${kind} 0`);
    t.ok(isBelievable(kind, SIGNAL_LIMITS[kind]), `${kind} at its limit`);
    for (const value of [-1e-9, Number.NaN, Number.POSITIVE_INFINITY, SIGNAL_LIMITS[kind] * 1.001])
      t.notOk(isBelievable(kind, value), `${kind} ${value}`);
  }
});

t.test('a backend that said nothing has every kind, empty', async t => {
  t.same(Object.keys(NO_SIGNALS).sort(), [...SIGNAL_KINDS].sort());
  const silent: SignalView = { of: () => NO_SIGNALS };
  t.ok(Object.values(silent.of('web', 'web-1')).every(reading => reading === null));
});
