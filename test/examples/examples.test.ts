/** Every example runs, and its ladder shows what it is about. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

function run(name: string): string {
  const result = spawnSync(process.execPath, ['--import', 'tsx', `examples/${name}.ts`]);
  assert.equal(result.status, 0, result.stderr.toString());
  return result.stdout.toString();
}

test('simultaneous open (RFC 9293 §3.5, figure 7)', () => {
  const out = run('simultaneous-open');
  for (const end of ['client', 'server'])
    assert.ok(out.includes(`${end}: CLOSED → SYN_SENT → SYN_RCVD → ESTABLISHED`), end);
});

test('simultaneous close (RFC 9293 §3.6, figure 13)', () => {
  const out = run('simultaneous-close');
  assert.match(out, /client: .*FIN_WAIT_1 → CLOSING → TIME_WAIT → CLOSED/);
  assert.match(out, /server: .*FIN_WAIT_1 → CLOSING → TIME_WAIT → CLOSED/);
});

test('half-close (RFC 9293 §3.6)', () => {
  const out = run('half-close');
  assert.ok(out.indexOf('FIN_WAIT_2') < out.indexOf('ack=x+31 23 bytes'), 'data comes after our FIN is acknowledged');
  assert.match(out, /server: .*CLOSE_WAIT → LAST_ACK → CLOSED/);
});

test('a lost last ACK (RFC 9293 §3.6)', () => {
  const out = run('lost-last-ack');
  assert.match(out, /ACK seq=x\+2 ack=y\+2 win=\d+ ─+✗\n[^\n]*FIN\+ACK seq=y\+1 ack=x\+2 \(again\)/);
  assert.match(out, /server: .*LAST_ACK → CLOSED/);
});

test('an old duplicate SYN (RFC 9293 §3.5, figure 8)', () => {
  const out = run('old-duplicate-syn');
  assert.match(out, /RST seq=x-2499999 ─+▶ CLOSED/);
  assert.match(out, /server: CLOSED → LISTEN → SYN_RCVD → CLOSED → LISTEN → SYN_RCVD → ESTABLISHED/);
});

test('a SYN flood (RFC 4987)', () => {
  const out = run('syn-flood');
  assert.match(out, /5000 forged SYNs: 128 half-open connections, \d{4} cookies/);
  assert.match(out, /you said 'hello'/);
  assert.match(out, /after the flood: 0 half-open connections/);
});
