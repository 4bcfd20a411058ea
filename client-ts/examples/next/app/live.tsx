'use client';

import type { Options } from '@switchboard/client';
import { SwitchboardProvider } from '@switchboard/client/react';
import type { ReactNode } from 'react';

const options: Options = {
  async getToken({ signal }) {
    const answer = await fetch('/token', { signal });
    // Without a token the client stops: nobody is signed in any more.
    if (answer.status === 401) return '';
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    return answer.text();
  },
};

/** The connection of all below. Functions do not cross from the server to the browser, so the options are here. */
export function Live({ url, user, children }: { url: string; user: string; children: ReactNode }) {
  return <SwitchboardProvider url={url} user={user} options={options}>{children}</SwitchboardProvider>;
}
