'use client';

import { createHooks } from '@switchboard/client/react';

interface Topics { article: { text: string } }

export const { useChannel, usePresence } = createHooks<Topics>();
