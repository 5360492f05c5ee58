// The Admin UI of a cluster over Redis: a server in Rust and one on Node.js with `instrument()` of
// `@socket.io/admin-ui`, in one view, whichever the page is connected to.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AdminPage, servePages } from '../admin-page.mjs';
import { launch } from '../browser.mjs';
import { Member } from './member.mjs';
import { Redis } from './redis.mjs';

// The bcrypt hash of `changeit`.
const HASH = '$2a$04$rfi1lb3oYgfGe93.ApQz0.qddMkbvE.iypTL.lSish93tOhgduqza';

const ADAPTERS = process.env.ADAPTERS?.split(',') ?? ['redis', 'streams'];

let browser;
let close;
before(async () => (browser = await launch({ after: (end) => (close = end) })));
after(() => close?.());

async function begin(test, adapter) {
  const server = await Redis.begin(test);
  const admin = { username: 'admin', password: HASH };
  const settings = { adapter, urls: [server.url], namespaces: ['/'], admin };
  return Promise.all(['node', 'rust'].map((language) => Member.begin(test, language, { ...settings, name: `the ${language} server` })));
}

for (const adapter of ADAPTERS.filter((adapter) => ['redis', 'sharded', 'streams'].includes(adapter))) {
  describe(adapter, { concurrency: 1 }, () => {
    for (const at of [0, 1]) {
      test(`a page that is connected to ${['Node.js', 'Rust'][at]} shows both servers`, async (t) => {
        const members = await begin(t, adapter);
        const [far, near] = [members[1 - at], members[at]];
        const early = await far.client(t);
        await early.tell('data', 'early');
        const admin = await AdminPage.open(t, browser, await servePages(t));
        await admin.logIn(near.http, 'admin', 'changeit', { webSocketOnly: true });
        await admin.connected();

        await admin.go('/servers/');
        for (const { name } of members) await admin.row(name).waitFor();
        await admin.shoot(`cluster-${adapter}-${near.language}-servers`);

        // Sockets that were there before, and those that come later.
        await admin.go('/sockets/');
        const late = await far.client(t);
        const own = await near.client(t);
        for (const { id } of [early, late, own]) {
          await admin.row(id).waitFor();
          await admin.row(id).getByText('WebSocket').waitFor();
        }
        await admin.shoot(`cluster-${adapter}-${near.language}-sockets`);
        await admin.go(`/n/${encodeURIComponent('/')}/sockets/${early.id}`);
        await admin.shows('early');
        // An id of its client that is not missing.
        assert.match((await admin.page.locator('a.link').first().textContent()).trim(), /^[\w-]{12}$/);

        await admin.page.getByLabel('Join a room').fill('lobby');
        await admin.button('tag-plus-outline').click();
        await admin.row('lobby').waitFor();
        await far.do('emit', { to: ['lobby'] }, 'news', 1);
        await early.events.until((all) => all.find(([name]) => name === 'news'), 'waiting for the news');
        await admin.press('tag-off-outline', 'lobby');
        await admin.row('lobby').waitFor({ state: 'detached' });

        await admin.go('/events/');
        await admin.row('news').filter({ hasText: early.id }).first().waitFor();
        await admin.shoot(`cluster-${adapter}-${near.language}-events`);

        await admin.go('/sockets/');
        for (const client of [early, own]) {
          await admin.press('logout', client.id);
          await client.gone.until(([reason]) => reason, 'waiting for the end');
          await admin.row(client.id).waitFor({ state: 'detached' });
        }
        assert.ok(late.socket.connected);
        admin.assertFaultless();
      });
    }
  });
}
