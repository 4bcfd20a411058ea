// Starts an example program and says how it is.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import './ends.mjs';
import { freePort } from './ports.mjs';
import { until } from './wait.mjs';

const { SWITCHBOARD_CHAT, SWITCHBOARD_ECHO, SWITCHBOARD_LOG } = process.env;

/** What /stats.json says of a server that holds nothing. */
export const NOBODY = {
  total_connections: 0,
  active_rooms: 0,
  active_lobbies: 0,
  users: 0,
  pending_handshakes: 0,
  closing: 0,
  queued_bytes: 0,
};

/** A running chat server; it is killed after the test. */
export const chat = (t, ...flags) => serve(t, SWITCHBOARD_CHAT, flags);

/** A running echo server; it is killed after the test. */
export const echo = (t, ...flags) => serve(t, SWITCHBOARD_ECHO, flags);

/** A chat server whose standard error bash has redirected to where writing fails. */
export const withoutStderr = (t, redirection, ...flags) => serve(t, SWITCHBOARD_CHAT, flags, redirection);

/** A chat server on the port of one that has ended. */
export const again = (t, ended, ...flags) => serve(t, SWITCHBOARD_CHAT, ['--listen', ended.host, ...flags]);

/** Runs chat to its end, or until it listens though it should not. */
export async function run(flags, env = {}) {
  const server = new Server(SWITCHBOARD_CHAT, flags, env);
  await until(() => server.stdout.startsWith('listening') || server.ended, 'an end or a listener');
  server.kill();
  await server.exited;
  return { ...server.ended, stdout: server.stdout, stderr: server.stderr };
}

async function serve(t, binary, flags, redirection) {
  const env = flags.find((it) => typeof it === 'object') ?? {};
  flags = flags.filter((it) => typeof it !== 'object').map(String);
  const log = SWITCHBOARD_LOG && !flags.includes('--log') ? ['--log', SWITCHBOARD_LOG] : [];
  const listen = flags.includes('--listen') ? [] : ['--listen', `127.0.0.1:${await freePort()}`];
  const server = new Server(binary, [...listen, ...flags, ...log], env, redirection);
  t.after(async () => {
    server.kill();
    await server.exited;
    if (SWITCHBOARD_LOG) t.diagnostic(server.stderr);
  });
  await server.listening();
  return server;
}

class Server {
  stdout = '';
  stderr = '';
  ended = null;

  constructor(binary, flags, env, redirection) {
    if (!binary) throw new Error('SWITCHBOARD_CHAT and SWITCHBOARD_ECHO name the programs to test');
    const command = [binary, ...flags];
    if (redirection) command.unshift('bash', '-c', redirected(redirection));
    this.process = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SWITCHBOARD_SECRET: undefined, ...env },
    });
    this.process.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.process.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.exited = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code, signal) => resolve((this.ended = { code, signal })));
    });
  }

  async listening() {
    await until(() => this.stdout.includes('\n') || this.ended, 'the first line on stdout');
    const line = this.stdout.split('\n')[0];
    const port = /^listening on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
    if (!port) throw new Error(`first line ${JSON.stringify(line)}, stderr: ${this.stderr}`);
    this.port = Number(port);
    this.host = `127.0.0.1:${port}`;
  }

  signal(name) {
    this.process.kill(name);
  }

  kill() {
    // A stopped process dies of nothing else.
    this.process.kill('SIGKILL');
  }

  /** One HTTP request: { status, headers, body }. */
  request(method, path, headers = {}) {
    const { port } = this;
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, method, path, headers, agent: false };
      const request = http.request(options, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => (body += text));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode, headers: response.headers, body });
        });
      });
      request.on('error', reject).end();
    });
  }

  get(path) {
    return this.request('GET', path);
  }

  async stats() {
    const { status, body } = await this.get('/stats.json');
    if (status !== 200) throw new Error(`/stats.json: ${status} ${body}`);
    return JSON.parse(body);
  }

  /** Waits until /stats.json has all of `expected`, and gives it back. */
  async reaches(expected, milliseconds) {
    let stats;
    const fits = async () => {
      stats = await this.stats();
      return Object.entries(expected).every(([key, value]) => equal(stats[key], value));
    };
    const told = () => `/stats.json with ${JSON.stringify(expected)}, not ${JSON.stringify(stats)}`;
    await until(fits, told, milliseconds);
    return stats;
  }

  /** Resident memory in bytes; nothing once it has ended. */
  memory() {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    const kib = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
    return kib && Number(kib) * 1024;
  }
}

/** Of an object only the keys that are expected. */
function equal(value, expected) {
  if (typeof expected !== 'object') return value === expected;
  return Object.entries(expected).every(([key, it]) => equal(value?.[key], it));
}

/** A script that replaces itself with the command in its arguments, and fails where standard error can be written. */
function redirected(redirection) {
  // The attempt has a subshell, because a broken pipe ends the shell that writes to it.
  return `exec ${redirection}; (echo >&2) && exit 3; exec "$0" "$@"`;
}
