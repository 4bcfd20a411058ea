// What cannot be is said in one line, before anything is listened to.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { chat, run } from './server.mjs';

/** Asserts status 2 and one line with all of `words`. */
async function assertRefused(flags, words) {
  const { code, stdout, stderr } = await run(flags);
  const told = `${flags.join(' ')}: ${code}, ${JSON.stringify(stderr)}`;
  assert.equal(code, 2, told);
  assert.equal(stdout, '', told);
  assert.match(stderr, /^[^\n]+\n$/, `one line: ${told}`);
  for (const word of words) assert.ok(stderr.includes(word), `"${word}" in ${told}`);
}

const LISTEN = ['--listen', '127.0.0.1:0'];
const listening = (flags) => (flags.includes('--listen') ? flags : [...LISTEN, ...flags]);

for (const flag of [
  '--max-connections',
  '--max-per-room',
  '--max-per-ip',
  '--ping-interval',
  '--ping-timeout',
  '--write-stall',
  '--close-timeout',
  '--handshake-timeout',
  '--auth-timeout',
  '--leave-grace',
  '--queue-bytes',
  '--drain-deadline',
  '--threads',
]) {
  // The field may be told by its name in the flag or in the configuration.
  test(`zero is an error for ${flag}`, () => assertRefused([...LISTEN, flag, '0'], ['0']));
}

for (const [flag, value] of [
  ['--max-connections', '-1'],
  ['--max-connections', 'many'],
  ['--max-connections', '99999999999999999999999'],
  ['--max-per-room', '1.5'],
  ['--ping-interval', 'soon'],
  ['--ping-interval', '-1'],
  ['--ping-interval', 'NaN'],
  ['--ping-timeout', 'inf'],
  ['--ping-timeout', '1e300'],
  ['--write-stall', ''],
  ['--users', 'sometimes'],
  ['--users', 'allow:0'],
  ['--users', 'allow:x'],
  ['--rate', '-3'],
  ['--slow', 'fast'],
  ['--presence', 'maybe'],
  ['--health-ping', 'often'],
  ['--refuse', 'never'],
  ['--origin', 'not an origin'],
  ['--trusted-proxy', '300.1.1.1/8'],
  ['--trusted-proxy', '10.0.0.0/33'],
  ['--listen', 'nowhere'],
  ['--listen', '127.0.0.1:99999'],
  ['--drain-window', '-1'],
]) {
  test(`${flag} ${value || '(empty)'} is refused with field, value and rule`, () =>
    assertRefused(listening([flag, value]), [flag.slice(2), value]));
}

test('an unknown flag, a missing value and a stray word are refused', async () => {
  await assertRefused([...LISTEN, '--no-such-flag'], ['--no-such-flag']);
  await assertRefused([...LISTEN, '--max-connections'], ['--max-connections']);
  await assertRefused([...LISTEN, 'word'], ['word']);
});

test('a flag that would have no effect is refused with the one that it needs', async () => {
  for (const [flags, needed] of [
    [['--node', 'a'], '--redis'],
    [['--order', 'local'], '--redis'],
    [['--when-down', 'refuse'], '--redis'],
    [['--history', '0', '--history-age', '5'], '--history'],
    [['--presence', 'off', '--leave-grace', '1'], '--presence'],
    [['--tls-cert', 'a.pem'], '--tls-key'],
  ]) {
    const flag = flags.at(-2);
    await assertRefused([...LISTEN, ...flags], [`${flag}: needs`, needed]);
  }
});

test('TLS with Redis is refused in one line that says what to do', () =>
  assertRefused([...LISTEN, '--redis', 'rediss://127.0.0.1:6380'], ['cluster.url', 'use redis://']));

test('a queue that does not hold what a newcomer is told is refused', () =>
  assertRefused([...LISTEN, '--queue-bytes', '1'], ['queue_bytes', '= 1:', 'at least 650']));

test('an occupied port is told with its address', async (t) => {
  const occupant = net.createServer().listen(0, '127.0.0.1');
  t.after(() => occupant.close());
  await new Promise((resolve) => occupant.on('listening', resolve));
  const address = `127.0.0.1:${occupant.address().port}`;
  await assertRefused(['--listen', address], [address]);
});

test('--help names every flag with its default and exits 0', async () => {
  const { code, stdout, stderr } = await run(['--help']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const [flag, value] of [
    ['--listen', '127.0.0.1:8080'],
    ['--max-connections', '500'],
    ['--max-per-room', '10'],
    ['--max-per-ip', ''],
    ['--ping-interval', '25'],
    ['--ping-timeout', '10'],
    ['--write-stall', '30'],
    ['--close-timeout', '5'],
    ['--handshake-timeout', '10'],
    ['--auth-timeout', '5'],
    ['--leave-grace', '3'],
    ['--users', 'replace'],
    ['--rate', '100'],
    ['--queue-bytes', ''],
    ['--slow', 'disconnect'],
    ['--presence', 'on'],
    ['--health-ping', 'off'],
    ['--refuse', 'close'],
    ['--origin', 'same'],
    ['--trusted-proxy', ''],
    ['--drain-window', '10'],
    ['--drain-deadline', ''],
    ['--threads', '1'],
    ['--log', ''],
    ['--debug-endpoints', ''],
    ['--recorder', 'off'],
    ['--secret', ''],
  ]) {
    const at = stdout.search(new RegExp(`${flag}\\b(?!-)`));
    assert.ok(at >= 0, `${flag} in the help`);
    const rest = stdout.slice(at + flag.length);
    const own = rest.slice(0, rest.search(/\n\s*--|$(?![\s\S])/));
    assert.ok(own.includes(value), `${flag}: ${value} in ${JSON.stringify(own)}`);
  }
});

test('the rate and the drain window may be zero, and fractions of seconds are taken', async (t) => {
  const fractions = ['--ping-interval', '0.25', '--ping-timeout', '.5', '--leave-grace', '0.1'];
  const server = await chat(t, '--rate', 0, '--drain-window', 0, ...fractions, '--threads', 2);
  assert.equal((await server.get('/healthz')).status, 200);
});
