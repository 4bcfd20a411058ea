import { Switchboard, SwitchboardError } from '@switchboard/client';
import Fake from './fake.cjs';

test('a client that is imported publishes', async () => {
  const client = new Switchboard('ws://host/ws', { webSocket: Fake });
  await expect(client.publish('a', 'hello')).resolves.toBe(5);
  client.close();
  await expect(client.publish('a', 'hello')).rejects.toBeInstanceOf(SwitchboardError);
});
