// Which files make up a configuration, and what is in them.

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileContent } from './checks/files.ts';
import type { FileReference } from './file-keys.ts';
import { error, type Finding } from './problem.ts';
import { MAX_FILE_BYTES } from './source.ts';

/** Cluster files in one folder. */
const MAX_CLUSTER_FILES = 4096;
const YAML_FILE = /^([^.].*)\.ya?ml$/;
const ROOT_FILE = 'leaseway.yaml';
export const CLUSTER_FOLDER = 'clusters';

export interface ConfigFile {
  /** As shown: what the operator gave, and what follows from it. */
  readonly shown: string;
  readonly absolute: string;
  /** The cluster that it holds; undefined for leaseway.yaml. */
  readonly cluster: string | undefined;
  readonly text: string;
  /** Why it could not be read; empty when it was. */
  readonly failure: string;
}

export interface Collected {
  readonly root: ConfigFile;
  readonly clusters: readonly ConfigFile[];
  /** Cluster name → shown path of files beside a single file, which are not read. */
  readonly besides: ReadonlyMap<string, string>;
  /** Nothing is there at all; `root` says where it was looked for. */
  readonly missing: Finding | undefined;
}

export async function collect(path: string): Promise<Collected> {
  const isFolder = await stat(path).then(
    s => s.isDirectory(),
    () => undefined,
  );
  if (isFolder === undefined) {
    const missing = error([], {
      what: 'no such file or folder',
      expected: 'a folder with leaseway.yaml, or one YAML file',
    });
    return { root: absent(path), clusters: [], besides: new Map(), missing };
  }
  const folder = isFolder ? path : dirname(path);
  const beside = await clusterFiles(folder);
  if (!isFolder) {
    const root = await readOne(path, undefined);
    return {
      root,
      clusters: [],
      besides: new Map(beside.map(f => [f.cluster, f.shown])),
      missing: undefined,
    };
  }
  const rootPath = join(path, ROOT_FILE);
  if (!(await exists(rootPath)))
    return { root: absent(rootPath), clusters: [], besides: new Map(), missing: await noRoot(path) };
  const root = await readOne(rootPath, undefined);
  const clusters: ConfigFile[] = [];
  // One after the other: thousands at once would run out of file descriptors.
  for (const file of beside) clusters.push(await readOne(file.shown, file.cluster));
  return { root, clusters, besides: new Map(), missing: undefined };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    s => s.isFile(),
    () => false,
  );

const absent = (shown: string): ConfigFile => ({
  shown,
  absolute: resolve(shown),
  cluster: undefined,
  text: '',
  failure: 'does not exist',
});

async function noRoot(path: string): Promise<Finding> {
  const what = 'no such file';
  for (const near of ['config', 'leaseway.yml', 'config.yaml']) {
    const candidate = join(path, near);
    const there = near === 'config' ? await exists(join(candidate, ROOT_FILE)) : await exists(candidate);
    if (there)
      return error([], { what, expected: 'listeners and routes in it', hint: `did you mean ${candidate}?` });
  }
  return error([], {
    what,
    expected: 'listeners and routes in it',
    hint: `leaseway init ${path} writes a first one`,
  });
}

/** Sorted by name, so that problems and diffs come in the same order everywhere. */
async function clusterFiles(folder: string): Promise<{ cluster: string; shown: string }[]> {
  const names = await readdir(join(folder, CLUSTER_FOLDER)).catch(() => []);
  return names
    .sort()
    .flatMap(name => {
      const cluster = YAML_FILE.exec(name)?.[1];
      return cluster === undefined ? [] : [{ cluster, shown: join(folder, CLUSTER_FOLDER, name) }];
    })
    .slice(0, MAX_CLUSTER_FILES);
}

async function readOne(shown: string, cluster: string | undefined): Promise<ConfigFile> {
  const { text, failure } = await readBounded(shown);
  return { shown, absolute: resolve(shown), cluster, text, failure };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder',
};
const reason = (thrown: unknown): string => {
  const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown error';
  return REASONS[code] ?? `cannot be read (${code})`;
};

async function readBounded(path: string): Promise<FileContent> {
  const failed = (failure: string): FileContent => ({ text: '', failure, mode: 0 });
  try {
    const { size, mode } = await stat(path);
    if (size > MAX_FILE_BYTES) return failed(`is larger than ${MAX_FILE_BYTES} bytes`);
    const bytes = await readFile(path);
    try {
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), failure: '', mode };
    } catch {
      return failed('is not UTF-8 text');
    }
  } catch (thrown) {
    return failed(reason(thrown));
  }
}

/** What the checks need to know of each file that is referred to. Folders are made by who uses them. */
export async function readReferences(
  references: readonly FileReference[],
): Promise<Map<string, FileContent>> {
  const contents = new Map<string, FileContent>();
  for (const { kind, file } of references) {
    if (contents.has(file) || kind === 'folder') continue;
    if (kind !== 'log') contents.set(file, await readBounded(file));
    else if (
      !(await stat(dirname(file)).then(
        s => s.isDirectory(),
        () => false,
      ))
    )
      contents.set(file, {
        text: '',
        failure: `cannot be written: there is no folder ${basename(dirname(file))}`,
        mode: 0,
      });
  }
  return contents;
}
