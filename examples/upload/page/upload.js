// Sends a file in chunks. The next chunk is sent when the previous one is acknowledged.

// The server serves this file if npm has installed it.
const client = await import('/socket.io/socket.io.esm.min.js').catch(() => undefined);

const ANSWER_WITHIN = 15_000;

const $ = (id) => document.getElementById(id);
const socket = client?.io();

// Sends an event, and resolves to its answer.
async function ask(event, ...args) {
  const answer = await socket.timeout(ANSWER_WITHIN).emitWithAck(event, ...args);
  if (answer.error) throw new Error(answer.error.message);
  return answer;
}

async function upload(file) {
  const { largest_chunk: length } = await ask('begin', { name: file.name, size: file.size });
  for (let start = 0; start < file.size; start += length) {
    const { received } = await ask('chunk', await file.slice(start, start + length).arrayBuffer());
    progress(file, received);
  }
  return ask('finish');
}

async function checksum(file) {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// A size for people, such as `2.5 MiB`.
function readable(bytes) {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  const [size, unit] = bytes < 1 << 20 ? [bytes / 1024, 'KiB'] : [bytes / (1 << 20), 'MiB'];
  return `${size.toLocaleString('en', { maximumFractionDigits: size < 10 ? 1 : 0 })} ${unit}`;
}

function progress(file, received) {
  const [name, amount] = [document.createElement('span'), document.createElement('small')];
  name.textContent = file.name;
  amount.textContent = `${readable(received)} of ${readable(file.size)}`;
  $('now').replaceChildren(name, amount);
  $('progress').value = file.size ? received / file.size : 0;
}

function report(text, kind = '') {
  $('status').textContent = text;
  $('status').className = kind;
}

// Adds an uploaded file to the list.
function list({ name, size, sha256 }) {
  const entry = document.createElement('li');
  const [title, about, sum] = ['strong', 'span', 'code'].map((tag) => document.createElement(tag));
  title.textContent = name;
  about.textContent = ` ${readable(size)}`;
  about.className = 'about';
  sum.textContent = `SHA-256 ${sha256}`;
  entry.append(title, about, sum);
  $('uploads').prepend(entry);
}

async function send(file) {
  $('file').disabled = true;
  progress(file, 0);
  $('running').hidden = false;
  report('');
  try {
    const uploaded = await upload(file);
    if (uploaded.sha256 !== (await checksum(file))) throw new Error('the checksum differs');
    list(uploaded);
    report(`✓ ${uploaded.name} has arrived, ${readable(uploaded.size)}. Its checksum is right.`, 'success');
  } catch (error) {
    report(`${file.name} was not uploaded: ${error.message}`, 'problem');
  }
  $('running').hidden = true;
  $('file').disabled = false;
  $('file').value = '';
}

$('file').onchange = () => {
  const [file] = $('file').files;
  if (file) send(file);
};

// A file that is dropped beside the zone must not replace the page.
for (const event of ['dragover', 'drop']) document.addEventListener(event, (drag) => drag.target === $('file') || drag.preventDefault());
for (const [event, isOver] of [['dragenter', true], ['dragleave', false], ['drop', false]]) {
  $('file').addEventListener(event, () => $('drop').classList.toggle('over', isOver));
}

if (client) $('file').disabled = false;
else report('socket.io-client is not installed. Do that, and reload:\nnpm ci --prefix tests/node', 'problem');
