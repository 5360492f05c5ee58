// The programs of the README and the guide: cargo packages below `target/snippets`, made of the
// pages' blocks. `node tests/node/guide/programs.mjs` builds them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, take, unhidden } from './markdown.mjs';

const snippets = path.join(path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'snippets');
const target = path.join(snippets, 'target');

// The environment of commands that a reader calls in a package.
export const environment = { ...process.env, CARGO_TARGET_DIR: target, npm_config_prefer_offline: 'true', npm_config_fund: 'false' };

export const directory = (name) => path.join(snippets, name);
export const program = (name) => path.join(target, 'debug', name);

// What `cargo new` writes.
const manifest = (name) => `[package]\nname = "${name}"\nversion = "0.1.0"\nedition = "2024"\n`;

// The dependencies with some lines in the place of others of the same crate.
function changed(dependencies, lines) {
  const crate = (line) => line.split(' ')[0];
  const changes = lines.trimEnd().split('\n');
  const kept = dependencies.trimEnd().split('\n').filter((line) => !changes.some((change) => crate(change) === crate(line)));
  return [...kept, ...changes, ''].join('\n');
}

// The program of a block without a main function. It serves the `app` of the block or of the
// statements behind it, and a page whose scripts may connect.
function served(block, statements = '') {
  const body = unhidden(block).replace(/\nOk::<.*\n$/, '\n');
  return `#![allow(unused_imports)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
${body}
    ${statements}
    let app = app.route("/", axum::routing::get(|| async { "a page for a browser's scripts" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    socketio::serve(listener, app).await?;
    Ok(())
}
`;
}

// Statements that make an `app` of handlers. `settings` are calls of the hub's builder.
const appOf = (handlers, settings = '') => `
    let hub = socketio::Hub::builder().events(socketio::events![${handlers}])${settings}.build()?;
    let app = axum::Router::new().route("/ws", axum::routing::get(hub.websocket())).merge(hub.socketio());`;

const first = take('README.md', 'toml', '[dependencies]\naxum');
const patch = take('README.md', 'toml', '[patch.crates-io]');
const patchRedis = patch + take('README.md', 'toml', 'socketio-redis = { path');
export const everything = take('lib.md', 'toml', 'garde = ');
const typed = take('README.md', 'toml', 'features = ["typescript"]');

// The chat at the top of the page on contracts, changed as the page says for an export.
const exported = take('contract.md', 'rust', 'A chat with rooms.')
  .replaceAll('#[derive(Deserialize)]', '#[derive(Deserialize, ts_rs::TS)]')
  .replaceAll('#[derive(Serialize)]', '#[derive(Serialize, ts_rs::TS)]')
  .replace('    pub Chat {', '    #[export(typescript)]\n    pub Chat {')
  .replace(/# fn main[^]*$/, '');
// The first server as a member of a cluster: the statements take the place of those that build its
// hub.
const clustered = (statements) => {
  const program = take('README.md', 'rust', 'fn join(');
  const built = /^ *let hub = .*\n/m;
  assert.match(program, built);
  return `use std::time::Duration;\n${program.replace(built, statements)}`;
};
const redis = take('README.md', 'toml', 'socketio-redis = "0.1"');
assert.ok(take('cluster.md', 'toml', 'socketio-redis').endsWith(redis));

const writeBindings = 'Chat::export("bindings/chat.ts")?;';

// The handlers of a block that ends with a test.
const logIn = take('socketio.md', 'rust', 'fn log_in').replace(/# #\[tokio::main[^]*$/, '');

const packages = {
  hello: {
    dependencies: `${first}\n${patch}`,
    files: { 'src/main.rs': take('README.md', 'rust', 'fn join(') },
    commands: [['build']],
  },
  typed: {
    dependencies: `${changed(first, typed)}\n${patch}`,
    files: { 'src/main.rs': take('README.md', 'rust', '#[export(typescript)]') },
    commands: [['build'], ['test', '--no-run']],
  },
  clustered: {
    dependencies: `${changed(first, redis)}\n${patchRedis}`,
    files: {
      'src/main.rs': clustered(take('README.md', 'rust', 'Redis::from_env')),
      'src/bin/ready.rs': clustered(take('cluster.md', 'rust', 'Redis::from_env')),
    },
    commands: [['build']],
  },
  guide: {
    dependencies: `${everything}\n${patchRedis}`,
    files: {
      'src/bin/serving.rs': unhidden(take('lib.md', 'rust', 'with_graceful_shutdown')),
      'src/bin/contract.rs': served(exported, writeBindings + appOf('message', '.events(Rooms).contract::<Chat>()')),
      'src/bin/requests.rs': served(take('requests.md', 'rust', 'fn leave_game'), appOf('leave_game')),
      'src/bin/reliable.rs': served(take('delivery.md', 'rust', 'async fn order'), appOf('order')),
      'src/bin/socketio.rs': served(take('socketio.md', 'rust', 'if there are any')),
      'src/bin/authorize.rs': served(take('socketio.md', 'rust', 'fn authorize')),
      'src/bin/log-in.rs': served(logIn, appOf('connected, log_in, whoami')),
      'src/bin/validation.rs': served(take('validation.md', 'rust', 'fn sign_up'), appOf('sign_up')),
      'src/bin/deploying.rs': unhidden(take('recipes.md', 'rust', 'SignalKind::terminate')),
      'tests/say.rs': take('README.md', 'rust', 'everyone_else_receives_what_is_said'),
      'tests/testing.rs': take('testing.md', 'rust', 'what_is_said_reaches_the_room'),
    },
    // This builds the programs, too.
    commands: [['test', '--test', 'say', '--test', 'testing']],
  },
};

// Writes a file, and leaves it alone if it has this text, so that cargo need not build it again.
function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

function build() {
  mkdirSync(snippets, { recursive: true });
  // The README's packages stand beside a checkout of this repository.
  rmSync(path.join(snippets, 'socketio'), { force: true });
  symlinkSync(root, path.join(snippets, 'socketio'));
  for (const [name, { dependencies, files, commands }] of Object.entries(packages)) {
    const at = directory(name);
    write(path.join(at, 'Cargo.toml'), `${manifest(name)}\n${dependencies}`);
    for (const [file, text] of Object.entries(files)) write(path.join(at, file), text);
    // The versions that the tests have, and later those that this package has added to them.
    if (!existsSync(path.join(at, 'Cargo.lock'))) copyFileSync(path.join(root, 'Cargo.lock'), path.join(at, 'Cargo.lock'));
    for (const command of commands) {
      const { status } = spawnSync('cargo', [...command, '--quiet'], { cwd: at, env: environment, stdio: 'inherit' });
      if (status !== 0) process.exit(1);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build();
