import { currentUser } from '../session';

/** Gives the token for the connection. The server of the example `chat` takes the name; a real application signs one that says when it expires. */
export async function GET() {
  const user = await currentUser();
  return new Response(user ?? null, { status: user ? 200 : 401, headers: { 'Cache-Control': 'no-store' } });
}
