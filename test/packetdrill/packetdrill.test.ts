/**
 * Scripts in packetdrill's language, run against a host of ours. Those under linux/ were recorded from a Linux 6.18 kernel
 * (record.ts): segments, windows, times and TCP_INFO are what that kernel did.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { type Given, optionsOf } from '../../src/packetdrill/options-of-script.ts';
import { parseScript } from '../../src/packetdrill/parse.ts';
import { runScript, type Verdict } from '../../src/packetdrill/run.ts';
import type { IpVersion } from '../../src/packetdrill/world.ts';
import { PROFILES, type ProfileName } from '../../src/transport/tcp/profiles.ts';

const HERE = 'test/packetdrill';

function run(text: string, folder = HERE, given: Given = {}): Verdict {
  const script = parseScript(text);
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(resolve(folder, path), 'utf8');
    } catch {
      return undefined;
    }
  };
  return runScript(script, optionsOf(script, given, text), { read });
}

for (const profile of Object.keys(PROFILES) as ProfileName[]) {
  const folder = join(HERE, profile);
  for (const name of readdirSync(folder).filter(file => file.endsWith('.pkt'))) {
    const text = readFileSync(join(folder, name), 'utf8');
    const own = /--ip_version=(ipv4|ipv6)$/m.exec(text)?.[1] as IpVersion | undefined;
    // A Fast Open cookie is made of addresses.
    const only = own ?? (/FO(EXP)? [0-9a-f]{8}/.test(text) ? 'ipv4' : undefined);
    const versions: IpVersion[] = only === undefined ? ['ipv4', 'ipv6', 'ipv4-mapped-ipv6'] : [only];
    test(`${profile}/${name}`, () => {
      for (const ipVersion of versions) {
        // Several seeds: initial sequence numbers anywhere, ports of every kind.
        for (const seed of [1, 2, 3]) {
          const verdict = run(text, dirname(join(folder, name)), { ipVersion, profile, seed });
          assert.deepEqual({ ...verdict, ipVersion, seed }, { status: 'pass', ipVersion, seed });
        }
      }
    });
  }
}

test('random exchanges recorded from Linux 6.18 (differential.ts) go the same way with ours', () => {
  const folder = join(HERE, 'exchanges');
  for (const name of readdirSync(folder)) {
    // Its kernel counts 250 ticks a second, and timers of more than 64 of them are late by up to 8.
    const given = { profile: 'linux' as const, toleranceUsecs: 36_000, hz: 250 };
    const verdict = run(readFileSync(join(folder, name), 'utf8'), folder, given);
    assert.deepEqual({ ...verdict, name }, { status: 'pass', name });
  }
});

const OPENING = `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <...>
  +.1 < . 1:1(0) ack 1 win 257
   +0 accept(3, ..., ...) = 4
`;

test('what is not so is said with the line, what was expected and what came', () => {
  const verdict = run(`${OPENING}   +0 write(4, ..., 1000) = 1000\n   +0 > P. 1:1002(1001) ack 1\n`);
  assert.equal(verdict.status, 'fail');
  assert.equal(verdict.line, 10);
  assert.match(verdict.expected ?? '', /P\. 1:1002\(1001\) ack 1/);
  assert.match(verdict.got ?? '', /^P\. 1:1001\(1000\) ack 1 win/);
});

test('the window is compared where a script states it, the flags, the options and the time always', () => {
  const syn =
    '    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n   +0 bind(3, ..., ...) = 0\n   +0 listen(3, 1) = 0\n   +0 < S 0:0(0) win 1000 <mss 1000>\n';
  assert.equal(run(`${syn}   +0 > S. 0:0(0) ack 1 <mss 1460>\n`).status, 'pass');
  assert.match(run(`${syn}   +0 > S. 0:0(0) ack 1 win 1 <mss 1460>\n`).message ?? '', /window/);
  assert.match(run(`${syn}   +0 > S 0:0(0) <mss 1460>\n`).message ?? '', /flags/);
  assert.match(run(`${syn}   +0 > S. 0:0(0) ack 1\n`).message ?? '', /options/);
  assert.match(run(`${syn}  +.5 > S. 0:0(0) ack 1 <mss 1460>\n`).message ?? '', /sent at/);
});

test('what is not translated makes a script unsupported, never passed', () => {
  assert.equal(run('`iptables -A INPUT -j DROP`\n').status, 'unsupported');
  assert.equal(run('`sysctl -q net.ipv4.tcp_no_such_thing=1`\n').status, 'unsupported');
  assert.equal(run('    0 mmap(...) = 0\n').status, 'unsupported');
  assert.equal(run(`${OPENING}   +0 setsockopt(4, SOL_TCP, TCP_REPAIR, [1], 4) = 0\n`).status, 'unsupported');
  assert.equal(run(`${OPENING}   +0 %{ for x in range(3): pass }%\n`).status, 'unsupported');
});

test('a call that blocks ends when the script says, and errnos are compared', () => {
  const blocking = `${OPENING}   +0...0.200 read(4, ..., 100) = 50\n  +.2 < P. 1:51(50) ack 1 win 257\n   +0 > . 1:1(0) ack 51\n`;
  assert.equal(run(blocking).status, 'pass');
  assert.match(run(blocking.replace('0.200', '0.500')).message ?? '', /read ends at/);
  assert.equal(run(`${OPENING}   +0 read(3, ..., 100) = -1 ENOTCONN (not connected)\n`).status, 'pass');
  assert.match(run(`${OPENING}   +0 read(3, ..., 100) = -1 EINVAL\n`).message ?? '', /ENOTCONN/);
});

test('segments of equal size are one line, unless --strict_segments', () => {
  const text = `${OPENING}   +0 write(4, ..., 3000) = 3000\n   +0 > P. 1:3001(3000) ack 1\n`;
  assert.equal(run(text).status, 'pass');
  assert.equal(run(`--strict_segments\n${text}`).status, 'fail');
});

test('an hour of virtual time costs nothing', () => {
  assert.equal(run(`${OPENING}   +3600 write(4, ..., 100) = 100\n   +0 > P. 1:101(100) ack 1\n`).status, 'pass');
});

test('every script of ours gives the same verdict every time', () => {
  const text = readFileSync(join(HERE, 'linux', 'sack-many.pkt'), 'utf8');
  assert.deepEqual(run(text), run(text));
});
