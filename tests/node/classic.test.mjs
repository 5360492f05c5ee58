// The `classic` example behaves like the Go chat of the same name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, get, run } from './lib.mjs';

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';

// Connects a user and reads the UUID from the greeting.
async function connect(test, classic, user) {
  const client = await Client.connect(test, `${classic.ws}/ws/${encodeURIComponent(user)}`);
  const hello = await client.next();
  const [, uuid] = hello.match(new RegExp(`^Hello user: ${user} with UUID: (${UUID})$`)) ?? assert.fail(hello);
  await classic.line(new RegExp(`^Connection event 1 - User: ${user}$`));
  return { client, uuid };
}

test('newcomers are greeted and announced to all others', async (t) => {
  const classic = await run(t, 'classic');
  const { client: ann, uuid: first } = await connect(t, classic, 'ann');
  const { client: ben, uuid: second } = await connect(t, classic, 'ben');
  assert.notEqual(first, second);
  assert.equal(await ann.next(), `New user connected: ben and UUID: ${second}`);
  const { uuid: third } = await connect(t, classic, 'zoë');
  for (const client of [ann, ben]) assert.equal(await client.next(), `New user connected: zoë and UUID: ${third}`);
});

test('messages reach the named user unchanged, and fired events are printed once', async (t) => {
  const classic = await run(t, 'classic');
  const { client: ann } = await connect(t, classic, 'ann');
  const { client: ben, uuid } = await connect(t, classic, 'ben');
  assert.equal(await ann.next(), `New user connected: ben and UUID: ${uuid}`);

  const custom = '{ "from":"ann",  "to":"ben", "event":"CUSTOM_EVENT", "data":"with \\"quotes\\"" }';
  ann.send(custom);
  assert.equal(await ben.next(), custom);
  await classic.line(/^Custom event - User: ann$/);

  const plain = '{"from":"ben","to":"ann","event":"","data":"no event"}';
  ben.send(plain);
  assert.equal(await ann.next(), plain);

  const unheard = '{"from":"ann","to":"ann","event":"NOBODY_LISTENS","data":{"any":["json"]}}';
  ann.send(unheard);
  assert.equal(await ann.next(), unheard);

  // The server does not use envelopes here: `id` requests no ack, and only the listener fires the
  // event.
  const envelope = '{"to":"ben","event":"CUSTOM_EVENT","data":1,"id":7}';
  ben.send(envelope);
  assert.equal(await ben.next(), envelope);
  await classic.line(/^Custom event - User: ben$/);

  const binary = '{"to":"ben","data":"from a binary message"}';
  ann.send(Buffer.from(binary));
  assert.equal(await ben.next(), binary);

  ann.send('no JSON');
  await classic.line(/^Message event - User: ann - Message: no JSON$/);

  assert.deepEqual(classic.lines, [
    'Connection event 1 - User: ann',
    'Connection event 1 - User: ben',
    `Message event - User: ann - Message: ${custom}`,
    'Custom event - User: ann',
    `Message event - User: ben - Message: ${plain}`,
    `Message event - User: ann - Message: ${unheard}`,
    `Message event - User: ben - Message: ${envelope}`,
    'Custom event - User: ben',
    `Message event - User: ann - Message: ${binary}`,
    'Message event - User: ann - Message: no JSON',
  ]);
});

test('a message to an unknown user fires error on its sender', async (t) => {
  const classic = await run(t, 'classic');
  const { client: ann } = await connect(t, classic, 'ann');
  const { client: ben } = await connect(t, classic, 'ben');
  await ann.next();
  const lost = '{"from":"ann","to":"nobody","event":"CUSTOM_EVENT","data":"x"}';
  ann.send(lost);
  await classic.line(/^Error event - User: ann$/);

  ben.socket.close();
  assert.equal((await ben.end()).code, 1005);
  await classic.line(/^Disconnection event - User: ben$/);
  const late = '{"from":"ann","to":"ben","event":"","data":"x"}';
  ann.send(late);
  await classic.line(/^Error event - User: ann$/, 2);
  const end = '{"from":"ann","to":"ann","event":"","data":"end"}';
  ann.send(end);
  assert.equal(await ann.next(), end);
  ann.socket.close(1000);
  assert.equal((await ann.end()).code, 1000);
  await classic.stop();

  assert.deepEqual(classic.lines, [
    'Connection event 1 - User: ann',
    'Connection event 1 - User: ben',
    `Message event - User: ann - Message: ${lost}`,
    'Custom event - User: ann',
    'Error event - User: ann',
    'Disconnection event - User: ben',
    `Message event - User: ann - Message: ${late}`,
    'Error event - User: ann',
    `Message event - User: ann - Message: ${end}`,
    'Disconnection event - User: ann',
  ]);
});

test('a cut connection is disconnected with an error', async (t) => {
  const classic = await run(t, 'classic');
  const { client: ann } = await connect(t, classic, 'ann');
  ann.socket.terminate();
  await classic.line(/^Error event - User: ann$/);
  const { client: ben } = await connect(t, classic, 'ben');
  ben.socket.close(3001, 'unwell');
  await classic.line(/^Error event - User: ben$/);
  await classic.stop();
  assert.deepEqual(classic.lines, [
    'Connection event 1 - User: ann',
    'Disconnection event - User: ann',
    'Error event - User: ann',
    'Connection event 1 - User: ben',
    'Disconnection event - User: ben',
    'Error event - User: ben',
  ]);
});

test('a server that shuts down closes its connections', async (t) => {
  const classic = await run(t, 'classic');
  const { client: ann } = await connect(t, classic, 'ann');
  const stopped = classic.stop();
  assert.equal((await ann.end()).code, 1001);
  assert.equal(await stopped, 0);
  assert.deepEqual(classic.lines, [
    'Connection event 1 - User: ann',
    'Close event - User: ann',
    'Disconnection event - User: ann',
  ]);
});

test('each of many simultaneous users is connected and disconnected exactly once', async (t) => {
  const classic = await run(t, 'classic');
  const users = Array.from({ length: 50 }, (_, index) => `user${index}`);
  const clients = await Promise.all(users.map((user) => Client.connect(t, `${classic.ws}/ws/${user}`)));
  for (const client of clients) client.send('hello');
  await Promise.all(users.map((user) => classic.line(new RegExp(`^Message event - User: ${user} - Message: hello$`))));
  for (const client of clients) client.socket.close(1000);
  await Promise.all(clients.map((client) => client.end()));
  await Promise.all(users.map((user) => classic.line(new RegExp(`^Disconnection event - User: ${user}$`))));
  await classic.stop();
  for (const user of users) {
    assert.deepEqual(classic.lines.filter((line) => line.split(' - ')[1] === `User: ${user}`), [
      `Connection event 1 - User: ${user}`,
      `Message event - User: ${user} - Message: hello`,
      `Disconnection event - User: ${user}`,
    ]);
  }
  assert.equal(classic.lines.length, 3 * users.length);
});

test('a request without an upgrade is answered with 426', async (t) => {
  const classic = await run(t, 'classic');
  const response = await get(`${classic.http}/ws/ann`);
  assert.equal(response.statusCode, 426);
  assert.equal(response.headers.upgrade, 'websocket');
  assert.equal((await get(`${classic.http}/ws`)).statusCode, 404);
  assert.deepEqual(classic.lines, []);
});
