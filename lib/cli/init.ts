// `leaseway init`: writes a first configuration, small enough to read and commented where it matters.

import { access, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { clusterSchema, rootSchema, schemaText } from '../config/json-schema.ts';

const ROOT = `# yaml-language-server: $schema=./leaseway.schema.json
#
# Where leaseway listens and which cluster gets what. Each file in clusters/ is a cluster of that name.
# Values may use \${VARIABLE} and \${VARIABLE:-default} of the environment.

listeners:
  - address: 127.0.0.1:8080 # ":8080" listens on every address

routes: # the first that matches is taken
  - name: web
    cluster: web

admin:
  address: 127.0.0.1:9900 # loopback only, unless token_file or client certificates guard it
`;

const WEB = `# yaml-language-server: $schema=../cluster.schema.json
#
# The file's name is the cluster's name: routes say \`cluster: web\`.

backends: # put yours here
  - http://127.0.0.1:9001
  - http://127.0.0.1:9002

# Ask each backend whether it is well; leave this out and only failing requests tell.
# health:
#   http: { path: /healthz }

# Keep each browser on one backend while its lease lives.
# sticky: { by: cookie, term: 60s }
`;

export interface InitOptions {
  /** Write over files that are there. */
  readonly force: boolean;
  readonly out: { write(text: string): unknown };
}

/** Resolves with the exit code: 0 written, 1 refused because something is there. Schemas are generated, so they are always renewed. */
export async function init(folder: string, { force, out }: InitOptions): Promise<number> {
  const files = new Map([
    [join(folder, 'leaseway.yaml'), ROOT],
    [join(folder, 'clusters', 'web.yaml'), WEB],
  ]);
  if (!force) {
    const there: string[] = [];
    for (const file of files.keys())
      await access(file).then(
        () => there.push(file),
        () => undefined,
      );
    if (there.length > 0) {
      out.write(
        `${there.join(' and ')} exist${there.length === 1 ? 's' : ''} already; --force writes over\n`,
      );
      return 1;
    }
  }
  files.set(join(folder, 'leaseway.schema.json'), schemaText(rootSchema()));
  files.set(join(folder, 'cluster.schema.json'), schemaText(clusterSchema()));
  for (const [file, text] of files) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    out.write(`wrote ${file}\n`);
  }
  out.write(
    `next: put your backends into ${join(folder, 'clusters', 'web.yaml')}, then leaseway run ${folder}\n`,
  );
  return 0;
}
