// A request that ends where it began: the sink hears why, but not before `open` has returned.

import type { AnswerSink, Outgoing, Reason } from '../ports.ts';

export function refusedOutgoing(sink: AnswerSink, reason: Reason): Outgoing {
  let over = false;
  queueMicrotask(() => {
    if (over) return;
    over = true;
    sink.fail(reason, false);
  });
  return {
    write: () => true,
    end() {},
    pause() {},
    resume() {},
    abort() {
      over = true;
    },
  };
}
