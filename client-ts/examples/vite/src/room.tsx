import { SwitchboardError } from '@switchboard/client';
import { useState } from 'react';
import { useChannel } from './hooks';

/** A room: who is in it, its latest messages, and a line to write in. */
export function Room({ name }: { name: string }) {
  const [missed, setMissed] = useState(0);
  const { status, presence, messages, publish } = useChannel(name, {
    history: 50,
    onGap: ({ from, to }) => setMissed((before) => before + to - from + 1),
  });
  const [problem, setProblem] = useState('');

  async function say(form: FormData) {
    const text = String(form.get('text'));
    try {
      // It resolves once the server has the message, and `echo` lets it come back in its place among the others.
      await publish({ text }, { echo: true });
      setProblem('');
    } catch (error) {
      setProblem(`“${text}” was not sent: ${error instanceof SwitchboardError ? error.code : String(error)}`);
    }
  }

  return (
    <main>
      <h1>{name}</h1>
      <p>{status === 'active' ? `${presence?.users.join(', ') ?? 'nobody'} here` : status}</p>
      {missed > 0 && <p role="alert">{missed} messages were lost.</p>}
      <ul>{messages.map(({ id, sender, content }) => <li key={id}><b>{sender}</b> {content.text}</li>)}</ul>
      {problem && <p role="alert">{problem}</p>}
      <form action={say}>
        <input name="text" aria-label="Message" required autoComplete="off" />
        <button>Send</button>
      </form>
    </main>
  );
}
