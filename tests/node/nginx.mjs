// nginx with the files of the examples and the guide.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './cluster/redis.mjs';
import { get, within } from './lib.mjs';

// Runs nginx with a file of a server that listens at this address, until the test ends.
export async function runNginx(test, file, address) {
  const directory = mkdtempSync(path.join(tmpdir(), 'nginx-'));
  let nginx;
  test.after(async () => {
    nginx?.kill();
    if (nginx) await within(once(nginx, 'close'), 'waiting for nginx to end');
    rmSync(directory, { recursive: true, force: true });
  });
  writeFileSync(path.join(directory, 'default.conf'), file);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join(' ');
  const main = `daemon off; pid pid; error_log stderr crit; events {} http { access_log off; ${paths} include default.conf; }\n`;
  writeFileSync(path.join(directory, 'nginx.conf'), main);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const options = ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr'];
  await promisify(execFile)('nginx', [...options, '-t'], { env });
  nginx = spawn('nginx', options, { env, stdio: 'inherit' });
  await eventually(() => get(address), 'waiting for nginx');
}
