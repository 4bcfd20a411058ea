import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The page and the WebSocket have one origin, as behind a proxy in production.
const proxy = { '/ws': { target: process.env.SWITCHBOARD ?? 'http://127.0.0.1:8080', ws: true } };

export default defineConfig({ plugins: [react()], server: { proxy }, preview: { proxy } });
