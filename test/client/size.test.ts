// What the SDK costs a page: bundled, minified, compressed.

import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import t from 'tap';

const CLIENT = resolve(import.meta.dirname, '../../lib/client/index.ts');

async function gzipped(names: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${names} } from ${JSON.stringify(CLIENT)}`, resolveDir: '/' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

t.test('without the envelope at most 6 KB', async t => {
  const bytes = await gzipped('LeasewaySocket');
  t.comment(`${bytes} bytes`);
  t.ok(bytes <= 6_000, `${bytes} bytes`);
  t.ok(bytes > 2_000, 'it is in there');
  const both = await gzipped('LeasewaySocket, envelope');
  t.comment(`${both} bytes with the envelope`);
  t.ok(both > bytes, 'the envelope is left out when nobody asks for it');
  t.ok(both <= 8_000, `${both} bytes`);
});
