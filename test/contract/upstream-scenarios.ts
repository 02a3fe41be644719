// What the suites of the Upstream contract share: a good backend, an upstream to it, and a test of the two.

import t, { type Test } from 'tap';
import type { Upstream } from '../../lib/data/ports.ts';
import {
  type AnyRequest,
  type AnyResponse,
  type Backend,
  goodBackend,
  type Wire,
} from '../support/backends.ts';
import type { RecordingSink } from '../support/recording-sink.ts';
import { connectTo } from '../support/upstreams.ts';

export const MIB = 1024 * 1024;

export type Scenario = (
  title: string,
  handle: (request: AnyRequest, response: AnyResponse, backend: Backend) => void,
  run: (test: Test, upstream: Upstream, backend: Backend) => Promise<void>,
  config?: Record<string, unknown>,
) => void;

export function scenarios(name: string, wire: Wire): Scenario {
  return (title, handle, run, config = {}) => {
    t.test(`${name}: ${title}`, async test => {
      const backend: Backend = await goodBackend(wire, (request, response) =>
        handle(request, response, backend),
      );
      const upstream = connectTo(backend, wire, config);
      test.teardown(() => {
        upstream.close();
        return backend.close();
      });
      await run(test, upstream, backend);
    });
  };
}

/** The answer came whole, and nothing was heard out of turn. */
export function whole(test: Test, sink: RecordingSink, status: number): void {
  test.equal(sink.outcome, 'end');
  test.equal(sink.answer?.status, status);
  test.same(sink.illegal, []);
}

/** Waits until `value` has not changed for many turns of the loop: nothing more is going to come. */
export async function quiet(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 400; same++) {
    await new Promise(resolve => setImmediate(resolve));
    if (value() !== last) same = 0;
    last = value();
  }
  return last;
}
