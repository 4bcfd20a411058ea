const { Switchboard, SwitchboardError } = require('@switchboard/client');
const { history } = require('@switchboard/client/history');
const shared = require('@switchboard/client/shared');
const { transports } = require('@switchboard/client/sse');
const Fake = require('./fake.cjs');

test('a client that is required publishes', async () => {
  const client = new Switchboard('ws://host/ws', { webSocket: Fake });
  await expect(client.publish('a', 'hello')).resolves.toBe(5);
  client.close();
  await expect(client.publish('a', 'hello')).rejects.toBeInstanceOf(SwitchboardError);
});

test('every entry can be required', () => {
  expect([typeof history, typeof transports, typeof shared.Switchboard]).toEqual(['function', 'function', 'function']);
});
