import { createHooks } from '@switchboard/client/react';

/** What is said in a room. Every channel of this application is one. */
export interface Said { text: string }

export const { useChannel, useSwitchboard } = createHooks<Record<string, Said>>();
