// The page that shows an AsyncAPI document. It sends the document's events to the same server.

import { problems } from './check.js';
import { Plain, SocketIo } from './connection.js';
import { element } from './element.js';
import { prose, render } from './prose.js';
import { anchor, example, line, resolve, shown, use } from './schema.js';

const config = JSON.parse(document.body.dataset.config);
const [links, main, aside] = ['nav details', 'main', 'aside'].map((name) => document.querySelector(name));

// The path of a route, which the configuration has relative to the page.
const route = (path) => {
  const { pathname, search } = new URL(path, location.href);
  return pathname + search;
};

// The links are folded where there is no place for them beside the text.
const wide = matchMedia('(min-width: 1101px)');
const fold = () => { links.open = wide.matches; };

const pretty = (value) => JSON.stringify(value, null, 2) ?? '';

// Resolves a reference inside the document.
const at = (document, reference) => reference.slice(2).split('/').reduce((place, key) => place[key], document);

const messagesOf = (document, messages = []) => messages.map(({ $ref }) => at(document, $ref));

// Whether a payload is the array of all arguments.
const isArray = (message) => message['x-arguments']?.length !== 1;

const argumentsOf = (message, payload) => (isArray(message) ? payload : [payload]);

function log(title, value, ...more) {
  aside.hidden = false;
  const time = element('span.quiet', {}, ` ${new Date().toLocaleTimeString()}`);
  aside.querySelector('ol').prepend(element('li', {}, element('strong', {}, title), time, element('pre', {}, value), ...more));
}

const compact = (args) => (args.length === 1 ? pretty(args[0]) : pretty(args));

// Whether the only field of an answer is `error`. Other answers may also have a field of that name.
function isError(args) {
  const { error, ...others } = (args.length === 1 && args[0]) || {};
  return typeof error?.code === 'string' && typeof error.message === 'string' && Object.keys(others).length === 0;
}

// The form for the answer to an event from the server.
function answerForm(operation, answer) {
  const [message] = operation?.replies ?? [];
  const text = element('textarea', { value: pretty(message ? example(message.payload) : null), ariaLabel: 'answer' });
  const problem = element('span.bad');
  const button = element('button', { type: 'submit' }, 'Answer');
  const form = element('form.answer', {}, text, message ? checked(message, text, button, 'Answer') : '', button, problem);
  form.onsubmit = (event) => {
    event.preventDefault();
    const value = parsed(text.value, problem);
    if (value === undefined) return;
    const isSeveral = message && isArray(message) && Array.isArray(value.json);
    answer(isSeveral ? value.json : [value.json]);
    button.disabled = true;
  };
  return form;
}

// The list of what is wrong with the payload in `text`. The button says so too, because the server
// may have other rules.
function checked(message, text, button, word) {
  const list = element('ul.problems');
  const check = () => {
    let found = [];
    try {
      found = problems(message.payload, JSON.parse(text.value));
    } catch {
      // The button reports what is no JSON.
    }
    list.replaceChildren(...found.map(({ path, message }) => element('li', {}, path ? `${path}: ${message}` : message)));
    button.textContent = found.length > 0 ? `${word} anyway` : word;
  };
  text.addEventListener('input', check);
  check();
  return list;
}

function parsed(text, problem) {
  problem.textContent = '';
  try {
    return { json: JSON.parse(text) };
  } catch (error) {
    problem.textContent = error.message;
    return undefined;
  }
}

// The form for a connection to a namespace.
function connectionForm(channel, operations) {
  const { address: namespace } = channel;
  const websocket = Object.hasOwn(config.websockets, namespace) ? config.websockets[namespace] : undefined;
  const kind = element('select', { ariaLabel: 'protocol' },
    element('option', { value: 'socketio' }, 'Socket.IO'), element('option', { value: 'plain' }, 'WebSocket'));
  kind.value = websocket ? 'plain' : 'socketio';
  const path = element('input.path', { size: 18, ariaLabel: 'path' });
  const proposed = () => route(kind.value === 'plain' ? (websocket ?? config.socketio.replace(/[^/]*\/?$/, 'ws')) : config.socketio);
  path.value = proposed();
  const name = element('input.namespace', { size: 12, value: namespace, ariaLabel: 'namespace', hidden: !namespace.includes('{') });
  const auth = element('input.auth', { size: 18, placeholder: 'auth, as JSON', ariaLabel: 'auth' });
  const button = element('button', { type: 'submit' }, 'Connect');
  const status = element('output');
  const update = () => { auth.hidden = kind.value === 'plain'; };
  kind.onchange = () => { path.value = proposed(); update(); };
  update();

  const link = { connection: undefined, buttons: [] };
  const show = (text, state) => {
    status.className = state;
    status.textContent = text;
    button.textContent = link.connection ? 'Disconnect' : 'Connect';
    for (const send of link.buttons) send.disabled = state !== 'good';
  };
  const form = element('form.connection', {}, kind, path, name, auth, button, status);
  form.onsubmit = (event) => {
    event.preventDefault();
    if (link.connection) return link.connection.close();
    const given = auth.value.trim() && !auth.hidden ? parsed(auth.value, status) : { json: undefined };
    if (!given) return show(status.textContent, 'bad');
    const options = { path: path.value, namespace: name.value, auth: given.json === undefined ? '' : JSON.stringify(given.json) };
    let connection;
    const on = {
      open: (id) => show(id ? `connected as ${id}` : 'connected', 'good'),
      closed: (reason) => {
        if (link.connection !== connection) return;
        link.connection = undefined;
        show(reason, 'bad');
      },
      event: (event, args, answer) => {
        const known = operations.find((operation) => operation.action === 'send' && operation.message.name === event);
        log(`← ${event}`, compact(args), ...(answer ? [answerForm(known, answer)] : []));
      },
    };
    try {
      connection = kind.value === 'plain' ? new Plain(options, on) : new SocketIo(options, on);
      link.connection = connection;
      show('connecting', 'quiet');
    } catch (error) {
      show(error.message, 'bad');
    }
  };
  return { form, link };
}

// The form for sending an event.
function sendForm({ message }, link) {
  const first = isArray(message) ? (example(message.payload) ?? []) : example(message.payload);
  const rows = Math.min(12, pretty(first).split('\n').length + 1);
  const text = element('textarea', { value: pretty(first), rows, ariaLabel: 'payload', spellcheck: false });
  const button = element('button', { type: 'submit', disabled: true, title: 'connect first' }, 'Send');
  link.buttons.push(button);
  const problem = element('span.bad');
  const answer = element('pre.reply');
  const form = element('form.send', {},
    message['x-arguments']?.length === 0 ? '' : [text, checked(message, text, button, 'Send')], button, problem);
  form.onsubmit = (event) => {
    event.preventDefault();
    const value = parsed(text.value, problem);
    if (value === undefined) return;
    const args = argumentsOf(message, value.json);
    if (!Array.isArray(args)) {
      problem.textContent = 'several arguments are an array';
      return;
    }
    answer.className = 'reply quiet';
    answer.textContent = 'no answer yet';
    log(`→ ${message.name}`, compact(args));
    link.connection?.emit(message.name, args, (args) => {
      const failed = isError(args);
      answer.className = `reply ${failed ? 'bad' : 'good'}`;
      log(`← answer to ${message.name}`, compact(args));
      answer.textContent = args.length === 0 ? 'answered, without arguments' : compact(args);
    });
  };
  return [form, answer];
}

function payloadOf(message) {
  if (message['x-arguments']?.length === 0) return [element('p.quiet', {}, 'No arguments.')];
  const { $ref } = message.payload;
  return $ref ? [element('p', {}, element('code', {}, line(message.payload))), shown(resolve(message.payload))] : shown(message.payload);
}

const described = ({ summary, description }) => [summary, description].map((text) => (text ? prose(text) : ''));

function card(operation, link) {
  const { id, action, summary, description, 'x-deprecated': deprecated, message, replies } = operation;
  const [reply, failed] = replies;
  const codes = failed?.payload.properties.error.properties?.code;
  return element('article', { id },
    element('span.way', {}, action === 'receive' ? 'clients send' : 'the server emits'),
    element('h3', {}, message.name),
    deprecated ? element('div.deprecated', {}, 'Deprecated. ', typeof deprecated === 'string' ? prose(deprecated) : '') : '',
    described({ summary, description }),
    element('h4', {}, 'Payload'), payloadOf(message),
    reply ? [element('h4', {}, 'Reply'), payloadOf(reply)] : '',
    failed && action === 'receive' ? [element('h4', {}, 'Error codes'),
      codes ? element('p', {}, element('code.codes', {}, line(codes))) : element('p.quiet', {}, 'Any.')] : '',
    action === 'receive' ? [element('h4', {}, 'Try it'), sendForm(operation, link)] : '');
}

function list(title, entries) {
  return [element('h2', {}, title),
    element('ul', {}, entries.map(([id, text]) => element('li', {}, element('a', { href: `#${id}` }, text))))];
}

async function load() {
  const loaded = async (name) => {
    const response = await fetch(name);
    if (!response.ok) throw new Error(`${name} can't be loaded: ${response.status}`);
    return response.json();
  };
  const [api, texts] = await Promise.all(['asyncapi.json', 'prose.json'].map(loaded));
  render(texts);
  const schemas = api.components?.schemas ?? {};
  use(schemas);
  document.title = api.info.title;
  const servers = Object.entries(api.servers ?? {});
  main.replaceChildren(
    element('h1', {}, api.info.title, element('small', {}, ` ${api.info.version}`)),
    ...described(api.info).filter(Boolean),
    ...servers.map(([name, { protocol, host, pathname }]) => element('p', {}, `${name}: `, element('code', {}, `${protocol}://${host}${pathname ?? ''}`))),
    element('p', {}, element('a', { href: 'asyncapi.json' }, 'asyncapi.json')),
  );
  const contents = links.querySelector('div');
  for (const [key, channel] of Object.entries(api.channels)) {
    const own = Object.entries(api.operations).filter(([, { channel: { $ref } }]) => $ref === `#/channels/${key}`);
    const operations = own.map(([id, operation]) => ({
      ...operation,
      id,
      message: messagesOf(api, operation.messages)[0],
      replies: messagesOf(api, operation.reply?.messages),
    }));
    const { form, link } = connectionForm(channel, operations);
    main.append(element('section', { id: `channel-${key}` }, element('h2', {}, channel.address),
      described(channel), form, operations.map((operation) => card(operation, link))));
    contents.append(...list(channel.address, operations.map(({ id, action, message }) => [id, `${action === 'receive' ? '→' : '←'} ${message.name}`])));
  }
  const named = Object.entries(schemas);
  main.append(element('section', {}, element('h2', {}, 'Schemas'),
    named.map(([name, schema]) => element('article', { id: anchor(name) }, element('h3', {}, name), shown(schema)))));
  contents.append(...list('Schemas', named.map(([name]) => [anchor(name), name])));
  aside.querySelector('button').onclick = () => aside.querySelector('ol').replaceChildren();
  wide.addEventListener('change', fold);
  fold();
  contents.addEventListener('click', ({ target }) => target.closest('a') && fold());
  // The element for the fragment of the address did not exist when the page was loaded.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

load().catch((error) => main.replaceChildren(element('p.bad', {}, error.message)));
