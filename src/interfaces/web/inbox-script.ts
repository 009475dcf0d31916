/**
 * Keeps the list fresh: asks every two seconds, while the page is visible, for new messages, and then puts the new list in
 * the place of the old. Plain JavaScript as text, since browsers get it as it stands; without it the page works all the same.
 */
export const inboxScript = `'use strict';
(() => {
  const part = (name, root = document) => root.getElementById(name);
  const body = document.body;
  body.classList.add('scripted');
  const newest = () => Number(part('stats').dataset.newest);
  const seen = () => part('stats').dataset.state;

  async function look() {
    if (document.hidden) return;
    const answer = await fetch(body.dataset.messages, { headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error('HTTP ' + answer.status);
    const { received, recipients, items } = await answer.json();
    if (received + '/' + recipients + '/' + (items[0] ? items[0].id : 0) === seen()) return;
    const page = new DOMParser().parseFromString(await (await fetch(body.dataset.list)).text(), 'text/html');
    const before = newest();
    for (const name of ['stats', 'list']) {
      const next = part(name, page);
      const now = part(name);
      if (!next || !now) continue;
      now.replaceChildren(...next.childNodes);
      Object.assign(now.dataset, next.dataset);
    }
    for (const row of document.querySelectorAll('#list [data-id]')) row.classList.toggle('fresh', Number(row.dataset.id) > before);
  }

  function again() {
    look().then(() => body.classList.remove('away'), () => body.classList.add('away')).then(() => setTimeout(again, 2000));
  }
  setTimeout(again, 2000);
})();
`;
