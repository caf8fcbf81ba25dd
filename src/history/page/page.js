// What a script can add to a page that is whole without it: sorting, and the viewer's own time.
(() => {
  'use strict';

  const value = (row, column) => {
    const cell = row.cells[column];
    const given = cell.dataset.v;
    if (given === undefined) return cell.textContent.trim().toLowerCase();
    return given === '' ? null : Number(given);
  };

  const compare = (a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));

  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: value(row, column), run: value(row, 0) }));
    const up = direction === 'ascending' ? 1 : -1;
    rows.sort((a, b) => {
      // What is unknown comes last, whichever way.
      const empty = (a.key === null || a.key === '') - (b.key === null || b.key === '');
      return empty || up * compare(a.key, b.key) || compare(b.run, a.run);
    });
    body.append(...rows.map(({ row }) => row));
  };

  for (const table of document.querySelectorAll('table.runs')) {
    const heads = Array.from(table.tHead.rows[0].cells);
    const status = document.createElement('p');
    status.className = 'out';
    status.setAttribute('role', 'status');
    table.before(status);
    const show = () => {
      for (const head of heads) {
        const arrow = head.querySelector('.arrow');
        if (arrow) arrow.textContent = { ascending: '▲', descending: '▼' }[head.getAttribute('aria-sort')] || '';
      }
    };
    heads.forEach((head, column) => {
      if (!head.dataset.sort) return;
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      const arrow = document.createElement('span');
      arrow.className = 'arrow';
      arrow.setAttribute('aria-hidden', 'true');
      button.append(arrow);
      head.append(button);
      button.addEventListener('click', () => {
        const now = head.getAttribute('aria-sort');
        const turned = now === 'ascending' ? 'descending' : 'ascending';
        const direction = now ? turned : head.dataset.sort;
        heads.forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', direction);
        sort(table, column, direction);
        show();
        status.textContent = `sorted by ${head.textContent.replace(/[▲▼]/g, '').trim()}, ${direction}`;
      });
    });
    show();
  }

  const two = (number) => String(number).padStart(2, '0');
  const forms = {
    full: (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(at)}`,
    minute: (at) => clock(at).slice(0, 5),
    second: (at) => clock(at),
    day: (at) => at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' }),
  };
  const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time';

  const times = Array.from(document.querySelectorAll('[data-as]'), (place) => ({
    place,
    utc: place.textContent,
    local: forms[place.dataset.as](new Date(place.getAttribute('datetime') || place.dataset.at)),
  }));
  for (const { place, local } of times) {
    if (place.localName === 'time') place.title = `${local} ${zone}`;
  }
  const labels = document.querySelectorAll('.zone');
  const button = document.querySelector('.switch');
  button.hidden = false;
  let isLocal = false;
  button.addEventListener('click', () => {
    isLocal = !isLocal;
    for (const { place, utc, local } of times) place.textContent = isLocal ? local : utc;
    for (const label of labels) label.textContent = isLocal ? zone : 'UTC';
    button.textContent = isLocal ? 'Show times in UTC' : 'Show times in my time zone';
  });
})();
