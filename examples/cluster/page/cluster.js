// Shows the servers side by side, one column for each.

import { Column } from './column.js';

const summary = document.getElementById('summary');
const columns = [];

// What the servers say together.
function summarize() {
  const reached = columns.filter(({ isUp }) => isUp).length;
  const together = Math.min(...columns.map(({ servers }) => servers));
  const areAllTogether = reached === columns.length && together >= columns.length;
  summary.classList.toggle('connected', areAllTogether);
  if (areAllTogether) summary.textContent = `${together} servers are one cluster`;
  else summary.textContent = `${reached} of ${columns.length} servers reach the cluster`;
}

async function begin() {
  const response = await fetch('servers.json');
  for (const server of await response.json()) columns.push(new Column(server, summarize));
  document.getElementById('columns').append(...columns.map(({ element }) => element));
}

begin().catch(() => {
  summary.textContent = 'the list of servers did not load; reload the page';
});
