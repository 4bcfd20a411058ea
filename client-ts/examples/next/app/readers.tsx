'use client';

import { useConnectionState } from '@switchboard/client/react';
import { usePresence } from './hooks';

/** Who else reads this page. */
export function Readers() {
  const { status } = useConnectionState();
  const presence = usePresence('article');
  return <span role="status">{presence ? `read by ${presence.users.join(', ')}` : status}</span>;
}
