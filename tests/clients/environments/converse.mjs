// A conversation, wherever there is JavaScript: ann and bob in one program.

/** Says what each of them got. Uses nothing of its surroundings. */
export async function converse({ Switchboard }, address, options = {}) {
  const client = (name) => new Switchboard(address, { getToken: () => name, ...options });
  const [ann, bob] = [client('ann'), client('bob')];
  const rooms = [ann, bob].map((one) => one.subscribe('den'));
  await Promise.all(rooms.map((room) => new Promise((resolve) => room.on('subscribed', resolve))));
  const heard = (async () => {
    for await (const { content, sender } of rooms[0]) return `${sender}: ${content.text}`;
  })();
  const first = await bob.publish('den', { text: 'hällo' });
  const whispered = new Promise((resolve) => bob.on('direct', ({ content, sender }) => resolve(`${sender} whispers: ${content}`)));
  const reached = await ann.direct('bob', 'psst');
  const back = new Promise((resolve) => ann.on('state', ({ status }) => status === 'connected' && resolve()));
  ann.reconnect();
  await back;
  const second = await ann.publish('den', { text: 'again' });
  const told = [await heard, await whispered, first, reached, second];
  for (const one of [ann, bob]) one.close();
  return told;
}

/** What it says. */
export const TOLD = ['bob: hällo', 'ann whispers: psst', 1, 1, 2];
