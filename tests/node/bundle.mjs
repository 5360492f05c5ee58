// Bundles the TypeScript sources of the chat's pages: `node tests/node/bundle.mjs`. With `--check`
// it only checks that the bundles are up to date.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const page = (name) => fileURLToPath(new URL(`../../examples/chat/page/${name}`, import.meta.url));

// The bundles by path.
export async function bundle() {
  const made = [];
  for (const name of ['connection', 'socketio']) {
    const { outputFiles } = await build({
      entryPoints: [page(`ts/${name}.ts`)],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      charset: 'utf8',
      banner: { js: `// Made of ts/${name}.ts and the contract by tests/node/bundle.mjs.` },
      tsconfigRaw: {},
    });
    // The paths in the output depend on the working directory.
    const text = outputFiles[0].text.replace(/^\/\/ .*\/page\/ts\//gm, '// ts/');
    made.push({ path: page(`${name}.js`), text });
  }
  return made;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, text } of await bundle()) {
    if (!process.argv.includes('--check')) writeFileSync(path, text);
    else if (readFileSync(path, 'utf8') !== text) {
      console.error(`${path} is stale: run \`node tests/node/bundle.mjs\``);
      process.exitCode = 1;
    }
  }
}
