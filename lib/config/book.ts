// The files of one configuration as a single value, and the way back from any path in it to a line in its file.

import { Cluster } from './cluster.ts';
import type { ConfigFile } from './collect.ts';
import { describe, quoted } from './describe.ts';
import { isMapValue, type RawMap } from './draft.ts';
import type { IssueContext } from './issues.ts';
import { error, type Finding, formatPath, messageFor, type Path, type Problem } from './problem.ts';
import { Root } from './proxy.ts';
import { name as clusterName } from './scalars.ts';
import { keysAt } from './schema-walk.ts';
import { type Position, parseSource, type Source } from './source.ts';
import type { Environment } from './substitute.ts';

interface Page {
  readonly file: ConfigFile;
  readonly source: Source;
}

export interface Book {
  /** Everything together, cluster files under `clusters`. */
  readonly raw: RawMap;
  /** leaseway.yaml could not be understood; only clusters are in `raw`. */
  readonly partial: boolean;
  /** Clusters whose file could not be understood. */
  readonly unread: readonly string[];
  readonly section: IssueContext['section'];
  /** The file in which the value at `path` stands. */
  fileOf(path: Path): ConfigFile;
  /** With what went wrong in reading the files; in the order of files and lines. */
  problems(findings: readonly Finding[]): Problem[];
}

export function place(finding: Finding, shown: string, path: Path, { line, column }: Position): Problem {
  const { severity, expected, found, hint } = finding;
  return {
    severity,
    file: shown,
    line,
    column,
    path: formatPath(path),
    message: messageFor(finding),
    expected,
    found,
    hint,
  };
}

export function bind(rootFile: ConfigFile, clusterFiles: readonly ConfigFile[], env: Environment): Book {
  const own: Problem[] = [];
  const open = (file: ConfigFile): Page => {
    const source = parseSource(file.shown, file.text, env);
    for (const { finding, at } of source.placed) own.push(place(finding, file.shown, finding.path, at));
    return { file, source };
  };
  const refuse = (page: Page, finding: Finding): void => {
    const { path, atKey } = finding;
    own.push(place(finding, page.file.shown, path, page.source.locate(path, atKey)));
  };

  const root = open(rootFile);
  const value = root.source.value;
  const readable = rootFile.failure === '' && isMapValue(value);
  const failedToParse = root.source.placed.length > 0 && value === undefined;
  if (rootFile.failure !== '')
    refuse(root, error([], { what: rootFile.failure, expected: 'leaseway’s configuration in YAML' }));
  else if (!readable && !failedToParse) refuse(root, notAMap(value, keysAt(Root, [])));

  const inline = readable ? value.clusters : undefined;
  const clusters: Record<string, unknown> = isMapValue(inline) ? { ...inline } : {};
  const pages = new Map<string, Page>();
  const unread: string[] = [];
  for (const file of clusterFiles) {
    const cluster = file.cluster!;
    const page = open(file);
    const invalid = clusterName.safeParse(cluster).error?.issues[0]?.message.replace(/^expected /, '');
    if (invalid !== undefined) {
      refuse(
        page,
        error([], {
          what: `the file’s name gives the cluster its name, and ${quoted(cluster)} is none`,
          expected: invalid,
        }),
      );
      continue;
    }
    const other = pages.get(cluster);
    if (other !== undefined || Object.hasOwn(clusters, cluster)) {
      const { line, column } = other?.source.locate([]) ?? root.source.locate(['clusters', cluster], true);
      const elsewhere = `${other?.file.shown ?? rootFile.shown}:${line}:${column}`;
      refuse(
        page,
        error([], {
          what: `cluster ${quoted(cluster)} is defined in ${elsewhere} already`,
          expected: 'one definition',
        }),
      );
      continue;
    }
    pages.set(cluster, page);
    if (file.failure !== '') refuse(page, error([], { what: file.failure, expected: 'a cluster in YAML' }));
    const parsed = page.source.value;
    if (file.failure !== '' || parsed === undefined) unread.push(cluster);
    else if (!isMapValue(parsed)) {
      refuse(page, notAMap(parsed, keysAt(Cluster, [])));
      unread.push(cluster);
    } else clusters[cluster] = parsed;
  }

  const raw: RawMap = readable
    ? { ...value, ...(inline === undefined || isMapValue(inline) ? { clusters } : {}) }
    : { clusters };
  const pageOf = (path: Path): { page: Page; depth: number } => {
    const page = path[0] === 'clusters' && path.length >= 2 ? pages.get(String(path[1])) : undefined;
    return page === undefined ? { page: root, depth: 0 } : { page, depth: 2 };
  };
  const order = new Map([rootFile, ...clusterFiles].map((file, i) => [file.shown, i]));
  return {
    raw,
    partial: !readable,
    unread,
    section: path =>
      path[0] === 'clusters' && path.length >= 2 ? { schema: Cluster, depth: 2 } : { schema: Root, depth: 0 },
    fileOf: path => pageOf(path).page.file,
    problems(findings) {
      const told = new Set(own.map(p => `${p.file}:${p.line}:${p.column}`));
      const placed = findings
        .map(finding => {
          const { page, depth } = pageOf(finding.path);
          const path = finding.path.slice(depth);
          return place(finding, page.file.shown, path, page.source.locate(path, finding.atKey));
        })
        // What follows from an unset variable is no problem of its own.
        .filter(p => !told.has(`${p.file}:${p.line}:${p.column}`));
      return [...own, ...placed].sort(
        (a, b) => order.get(a.file)! - order.get(b.file)! || a.line - b.line || a.column - b.column,
      );
    },
  };
}

function notAMap(value: unknown, keys: readonly string[]): Finding {
  const found = value === null || value === undefined ? 'an empty file' : describe(value, []);
  return error([], {
    expected: `a map with ${keys.slice(0, 12).join(', ')}${keys.length > 12 ? ' …' : ''}`,
    found,
  });
}
