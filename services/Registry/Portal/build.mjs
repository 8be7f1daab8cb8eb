// Builds the portal into ../wwwroot: installs what package-lock.json names (once), checks types, bundles, compresses.
// Nothing is done when no source has changed since the last build.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, '../wwwroot');
const stamp = join(output, 'build.txt');
const installed = join(here, 'node_modules/.lock-digest');

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules' && entry.name !== 'generated')
    .flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();

const digest = (paths) => {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(relative(here, path)).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex');
};

const run = (command, ...args) => execFileSync(command, args, { cwd: here, stdio: 'inherit' });
const reads = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

// What the services say of their APIs; ApiDocumentTests keeps them current.
const documents = { orchestrator: join(here, '../../Orchestrator/openapi.json'), registry: join(here, '../openapi.json') };

const wanted = digest([...files(here), ...Object.values(documents)]);
if (reads(stamp) === wanted) process.exit(0);

const lock = digest([join(here, 'package-lock.json')]);
if (reads(installed) !== lock) {
  run('npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts');
  writeFileSync(installed, lock);
}
for (const [name, document] of Object.entries(documents))
  execFileSync(process.execPath, ['node_modules/openapi-typescript/bin/cli.js', document, '-o', `src/api/generated/${name}.ts`], { cwd: here, stdio: ['ignore', 'ignore', 'inherit'] });
run(process.execPath, 'node_modules/typescript/bin/tsc', '--noEmit');
run(process.execPath, 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn');

// Small files are sent as they are: a compressed form would save less than its own headers.
for (const path of files(output).filter((p) => statSync(p).size > 512)) {
  const bytes = readFileSync(path);
  writeFileSync(path + '.gz', gzipSync(bytes, { level: 9 }));
  writeFileSync(path + '.br', brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
mkdirSync(output, { recursive: true });
writeFileSync(stamp, wanted);
