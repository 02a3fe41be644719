// Signals: sources named twice, sources that cannot work, times that contradict.

import { formatDuration } from '../../core/units.ts';
import type { ClusterConfig } from '../cluster.ts';
import { quoted } from '../describe.ts';
import { error, type Finding, type Path, warning } from '../problem.ts';

const SINGLE = ['orca', 'orca_stream', 'agent_check'] as const;

export function* checkSignals(cluster: ClusterConfig, path: Path): Generator<Finding> {
  const seen = new Set<string>();
  for (const [i, entry] of cluster.signals.entries()) {
    for (const kind of SINGLE)
      if (entry[kind] !== undefined && seen.size === seen.add(kind).size)
        yield error([...path, i], { what: `a second ${kind}`, expected: `one ${kind} in a cluster` });
    const { orca_stream: stream, agent_check: agent, scrape } = entry;
    if (stream !== undefined && stream.port === undefined && cluster.protocol === 'http1')
      yield error([...path, i], {
        what: 'orca_stream is gRPC, which needs HTTP/2, and protocol is http1',
        expected: 'the port of a gRPC server in orca_stream.port, or protocol: h2',
      });
    if (scrape !== undefined && seen.size === seen.add(scrape.url).size)
      yield error([...path, i], {
        what: `${quoted(scrape.url)} is scraped already`,
        expected: 'one scrape of a page, with all its metrics',
      });
    if (scrape?.metrics !== undefined && Object.keys(scrape.metrics).length === 0)
      yield error([...path, i, 'scrape', 'metrics'], {
        what: 'no metric is named, so nothing is read',
        expected: 'a metric for some kind of load, or no metrics at all for the known ones',
      });
    for (const [kind, timed] of [
      ['agent_check', agent],
      ['scrape', scrape],
    ] as const)
      if (timed !== undefined && timed.timeout > timed.interval)
        yield warning([...path, i, kind], {
          what: `one may still run when the next is due (interval ${formatDuration(timed.interval)})`,
          expected: 'a timeout up to the interval',
        });
  }
}
