import { useSwitchboard } from './hooks';

/** How the connection is, and a way to hurry it. */
export function Connection() {
  const { client, state } = useSwitchboard();
  if (state.status === 'connected') return <span role="status">connected</span>;
  return (
    <span role="status">
      {state.status}{state.last && `, after ${state.last.code} ${state.last.reason}`}
      {' '}
      <button onClick={() => client.reconnect()}>Connect now</button>
    </span>
  );
}
