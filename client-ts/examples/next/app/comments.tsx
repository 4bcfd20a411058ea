'use client';

import { useState } from 'react';
import { useChannel } from './hooks';

/** The latest comments, which begin with those that the server keeps. */
export function Comments() {
  const { messages, publish } = useChannel('article', { history: 20 });
  const [problem, setProblem] = useState('');
  const send = (form: FormData) => publish({ text: String(form.get('text')) }, { echo: true })
    .then(() => setProblem(''), (error: { code: string }) => setProblem(`Not sent: ${error.code}`));

  return (
    <section>
      <h2>Comments</h2>
      <ul>{messages.map(({ id, sender, content }) => <li key={id}><b>{sender}</b> {content.text}</li>)}</ul>
      {problem && <p role="alert">{problem}</p>}
      <form action={send}>
        <input name="text" aria-label="Comment" required autoComplete="off" />
        <button>Send</button>
      </form>
    </section>
  );
}
