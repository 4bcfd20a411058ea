import { cookies } from 'next/headers';

/** Who is signed in. A real application keeps a session in its cookie, and not the name itself. */
export async function currentUser() {
  return (await cookies()).get('user')?.value;
}
