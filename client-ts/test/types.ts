// What the types allow and what not; compiled, and not run.
import { history } from '../src/history.js';
import { Switchboard, type Options, type Presence, type Topic } from '../src/index.js';
import { createHooks, useChannel, usePresence, type ProviderProps } from '../src/react.js';

interface Chat { text: string }
interface Topics {
  news: string;
  room: Topic<Chat, { colour: string }>;
  [game: `game-${number}`]: { move: [number, number] };
}
interface Methods {
  add: (params: { a: number; b: number }) => number;
  whoami: () => Promise<string>;
}

/** Compiles only where both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const same = <A, B>(_: Same<A, B>): void => {};

export async function typed(client: Switchboard<Topics, Methods>): Promise<void> {
  const room = client.subscribe('room');
  room.on('message', ({ content }) => { same<typeof content, Chat>(true); });
  same<typeof room.presence, Presence<{ colour: string }> | null>(true);
  for await (const { content } of client.subscribe('news')) same<typeof content, string>(true);
  client.subscribe('game-7').on('message', ({ content: { move } }) => { same<typeof move, [number, number]>(true); });
  const { messages } = history(room);
  same<typeof messages[0]['content'], Chat>(true);

  await client.publish('room', { text: 'hi' }, { volatile: true });
  // @ts-expect-error: another type of message
  await client.publish('room', 'hi');
  // @ts-expect-error: no such channel
  client.subscribe('rooom');
  // @ts-expect-error: no such option
  await client.publish('news', 'hi', { loud: true });

  const sum = await client.call('add', { a: 1, b: 2 });
  same<typeof sum, number>(true);
  const who = await client.call('whoami');
  same<typeof who, string>(true);
  // @ts-expect-error: another type of parameters
  await client.call('add', { a: 1 });
  // @ts-expect-error: no such method
  await client.call('subtract');
}

export async function untyped(client: Switchboard): Promise<void> {
  client.subscribe('anything').on('message', ({ content, seq, id }) => {
    same<typeof content, unknown>(true);
    same<typeof seq, number | undefined>(true);
    same<typeof id, string>(true);
  });
  await client.publish('anything', 5);
  const result = await client.call('anything', 5);
  same<typeof result, unknown>(true);
  new Switchboard('ws://host', { getToken: () => 'a' });
  new Switchboard('ws://host', { getToken: async () => ({ token: 'a', expiresIn: 5_000 }), debug: console.info });
  // What is not set may be `undefined`.
  new Switchboard('ws://host', { webSocket: undefined, getToken: undefined, signal: undefined, queue: undefined, backoff: undefined, seed: undefined });
  // @ts-expect-error: a token is a text
  new Switchboard('ws://host', { getToken: () => 5 });
}

export function hooks(): void {
  const hooks = createHooks<Topics, Methods>();
  const { messages, presence, publish } = hooks.useChannel('room', { history: 50, onMessage: ({ content }) => { same<typeof content, Chat>(true); } });
  same<typeof messages[0]['content'], Chat>(true);
  same<typeof presence, Presence<{ colour: string }> | null>(true);
  void publish({ text: 'hi' });
  // @ts-expect-error: another type of message
  void publish('hi');
  hooks.useChannel(null);
  hooks.useChannel('room', null);
  hooks.useChannel('room', { history: undefined, onMessage: undefined, onGap: undefined });
  same<ProviderProps['options'], Options | null | undefined>(true);
  hooks.usePresence('news');
  // @ts-expect-error: no such channel
  hooks.usePresence('rooom');
  const loose = useChannel<Chat>('whatever');
  same<typeof loose.messages[0]['content'], Chat>(true);
  same<ReturnType<typeof usePresence>, Presence | null>(true);
}
