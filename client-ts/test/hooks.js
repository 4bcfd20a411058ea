// React in a page of happy-dom, with a provider whose sockets are fake.
import { afterEach, beforeEach } from 'node:test';
import { Window } from 'happy-dom';
import { FakeSocket, settle } from './fakes.js';

const window = new Window();
Object.assign(globalThis, { window, document: window.document, navigator: window.navigator, IS_REACT_ACT_ENVIRONMENT: true });
const { StrictMode, act, createElement: h } = await import('react');
const { createRoot } = await import('react-dom/client');
const { SwitchboardProvider } = await import('../dist/react.js');

let root;
let place;
beforeEach(() => {
  FakeSocket.all = [];
  place = document.createElement('div');
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => { root.unmount(); await settle(); });
});

export { h };
export const options = { webSocket: FakeSocket, seed: 1 };
export const provider = (...children) => providerWith({}, ...children);
export const providerWith = (props, ...children) => h(StrictMode, null, h(SwitchboardProvider, { url: 'ws://host/ws', options, ...props }, ...children));
export const render = (element) => act(async () => { root.render(element); await settle(); });
export const doing = (what) => act(async () => { await what(); await settle(); });
export const text = () => place.textContent;
export const types = (socket) => socket.take().map(({ type, channel }) => `${type} ${channel}`);
