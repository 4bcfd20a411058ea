// Runs an example program that prints the address it listens on.

import { spawn } from 'node:child_process';
import '../node/ends.mjs';
import { until } from '../node/wait.mjs';

const { SWITCHBOARD_EXAMPLES } = process.env;

/** A running example; it is killed after the test. */
export async function program(t, name, ...flags) {
  if (!SWITCHBOARD_EXAMPLES) throw new Error('SWITCHBOARD_EXAMPLES names the folder of the programs to test');
  const child = spawn(`${SWITCHBOARD_EXAMPLES}/${name}`, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  const running = { child, stdout: '', ended: null };
  child.stdout.setEncoding('utf8').on('data', (text) => (running.stdout += text));
  const exited = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve((running.ended = { code, signal })));
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await until(() => running.stdout.includes('\n') || running.ended, 'the first line on stdout');
  running.port = Number(/^listening on 127\.0\.0\.1:(\d+)\n/.exec(running.stdout)?.[1]);
  running.host = `127.0.0.1:${running.port}`;
  running.exited = exited;
  return running;
}
