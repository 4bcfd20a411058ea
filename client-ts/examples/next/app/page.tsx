import { signIn, signOut } from './actions';
import { Comments } from './comments';
import { Live } from './live';
import { Readers } from './readers';
import { currentUser } from './session';

/** A page that the server renders, with parts that live in the browser. */
export default async function Page() {
  const user = await currentUser();
  if (!user) {
    return (
      <form action={signIn}>
        <label>Your name <input name="name" required maxLength={20} autoFocus /></label>
        <button>Sign in</button>
      </form>
    );
  }
  return (
    <Live url={process.env.SWITCHBOARD ?? 'ws://127.0.0.1:8080/ws'} user={user}>
      <header>
        <b>{user}</b>
        <Readers />
        <form action={signOut}><button>Sign out</button></form>
      </header>
      <article>
        <h1>On switchboards</h1>
        <p>Each subscriber had a jack, and a lamp above it. Who wanted to talk lit the lamp, and somebody put in the plug.</p>
      </article>
      <Comments />
    </Live>
  );
}
