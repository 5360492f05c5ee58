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
    $('progress').value = received / file.size;
  }
  return ask('finish');
}

async function checksum(file) {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function report(text, isProblem = false) {
  $('status').textContent = text;
  $('status').classList.toggle('problem', isProblem);
}

$('file').onchange = async () => {
  const [file] = $('file').files;
  if (!file) return;
  $('file').disabled = true;
  $('progress').value = 0;
  report(`uploading ${file.name}…`);
  try {
    const { name, size, sha256 } = await upload(file);
    if (sha256 !== (await checksum(file))) throw new Error('the checksum differs');
    report(`${name} has arrived, ${size} bytes\nSHA-256 ${sha256}`);
  } catch (error) {
    report(`${file.name} was not uploaded: ${error.message}`, true);
  }
  $('file').disabled = false;
  $('file').value = '';
};

if (client) $('file').disabled = false;
else report('socket.io-client is not installed. Do that, and reload:\nnpm ci --prefix tests/node', true);
