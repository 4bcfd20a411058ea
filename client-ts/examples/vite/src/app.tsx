import { SwitchboardProvider } from '@switchboard/client/react';
import { useState } from 'react';
import { Connection } from './connection';
import { Room } from './room';

const ROOMS = ['hall', 'garden'];

export function App() {
  const [user, setUser] = useState('');
  const [room, setRoom] = useState('hall');
  if (!user) {
    return (
      <form action={(form) => setUser(String(form.get('name')))}>
        <label>Your name <input name="name" required maxLength={20} autoFocus /></label>
        <button>Sign in</button>
      </form>
    );
  }
  // The server of the example `chat` takes the token itself for the name. Another `user` is another connection.
  return (
    <SwitchboardProvider url="/ws" user={user} options={{ getToken: () => user }}>
      <header>
        <b>{user}</b>
        <Connection />
        <button onClick={() => setUser('')}>Sign out</button>
      </header>
      <nav>
        {ROOMS.map((name) => <button key={name} aria-pressed={name === room} onClick={() => setRoom(name)}>{name}</button>)}
      </nav>
      <Room key={room} name={room} />
    </SwitchboardProvider>
  );
}
