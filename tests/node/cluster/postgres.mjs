// PostgreSQL servers of the tests.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Feed, within } from '../lib.mjs';
import { postgres } from './clients.mjs';
import { freePorts } from './redis.mjs';

const HOST = '127.0.0.1';
const SETTINGS = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'shared_buffers=16MB', 'max_connections=200'];

// Where Debian has the programs, or the directory that POSTGRES_BIN names.
function program(name) {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).map(Number).filter(Boolean) : [];
  const directory = process.env.POSTGRES_BIN ?? (versions.length ? path.join(root, String(Math.max(...versions)), 'bin') : '');
  return path.join(directory, name);
}

// PostgreSQL refuses to be run by root. The package has a user for it.
async function user() {
  if (process.getuid() !== 0) return undefined;
  const id = async (option) => Number((await promisify(execFile)('id', [option, 'postgres'])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

// Creates the table of attachments, as the documentation of the adapter for Node.js says.
export async function createTable(urls) {
  const pool = postgres({ urls });
  await pool.query('CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
  await pool.end();
}

export class Postgres {
  #directory;
  #process;
  #exit;

  // Starts a server until the test ends. Everybody may log in as `postgres`.
  static async begin(test) {
    const postgres = new Postgres();
    const owner = await user();
    const directory = await mkdtemp(path.join(tmpdir(), 'postgres-'));
    postgres.#directory = directory;
    test.after(async () => {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    });
    if (owner) await chown(directory, owner.uid, owner.gid);
    const settings = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'];
    await promisify(execFile)(program('initdb'), ['-D', directory, ...settings], { ...owner, cwd: '/' });
    postgres.port = (await freePorts(1))[0];
    await postgres.#start(owner);
    return postgres;
  }

  get url() {
    return `postgres://postgres@${HOST}:${this.port}/postgres`;
  }

  async #start(owner) {
    const settings = SETTINGS.flatMap((setting) => ['-c', setting]);
    const args = ['-D', this.#directory, '-p', String(this.port), ...settings];
    const child = spawn(program('postgres'), args, { ...owner, cwd: '/', stdio: ['ignore', 'inherit', 'pipe'] });
    this.#process = child;
    const log = new Feed();
    createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
    this.#exit = once(child, 'close').then(() => log.end(new Error('postgres ended')));
    child.on('error', (error) => log.end(error));
    await log.until((all) => all.find((line) => /ready to accept connections/.test(line)), 'waiting for postgres');
  }

  // Ends it, and with it all connections.
  async stop() {
    if (!this.#process) return;
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGINT');
    await within(this.#exit, 'waiting for postgres to end');
  }
}
