// Builds the web assets that the server embeds: everything a page needs goes to dist/<page>/, so that it works on a
// network with no way out. Other people's code is bundled here and never committed; their licenses travel with it.
import { build } from 'esbuild';
import { copyFile, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(root, 'dist/graphiql');

await rm(out, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    main: 'graphiql/main.jsx',
    'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
    'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
  },
  outdir: path.join(out, 'assets'),
  assetNames: '[name]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.graphql': 'text', '.ttf': 'file' },
  legalComments: 'none', // licenses.txt has the full texts
  metafile: true,
  logLevel: 'warning',
});
await copyFile(path.join(root, 'graphiql/index.html'), path.join(out, 'index.html'));
await writeFile(path.join(out, 'assets/licenses.txt'), await licenses(Object.keys(metafile.inputs)));

/** The name, version and license text of each package that `inputs` come from. */
async function licenses(inputs) {
  const packages = new Set(inputs.map((file) => file.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean));
  const parts = [];
  for (const directory of [...packages].sort()) {
    const { name, version, license } = JSON.parse(await readFile(path.join(root, directory, 'package.json'), 'utf8'));
    const files = (await readdir(path.join(root, directory))).filter((file) => /^(licen[cs]e|copying|notice|thirdparty)/i.test(file));
    const texts = await Promise.all(files.sort().map((file) => readFile(path.join(root, directory, file), 'utf8')));
    parts.push([`${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n'));
  }
  return parts.join(`\n\n${'-'.repeat(80)}\n\n`) + '\n';
}
