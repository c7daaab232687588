/** RFC 9768: what AccECN's counters make of acknowledgements, and what is agreed on. The exchanges are in packetdrill/rfc. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccurateEcn } from '../../src/transport/tcp/accurate-ecn.ts';
import { ecnAnswered, ecnAsked } from '../../src/transport/tcp/ecn.ts';
import { aceFlags, CE, ECT0, NOT_ECT } from '../../src/transport/tcp/ecn-field.ts';
import { RFC_PROFILE } from '../../src/transport/tcp/profiles.ts';

const MSS = 1000;
const accurate = { ...RFC_PROFILE, ecn: 'accurate' as const };
const server = (): AccurateEcn => new AccurateEcn(false, NOT_ECT);
const bytes = (ceb: number) => [{ name: 'ceb' as const, value: ceb }];

test('RFC 9768 §3.2.2.5.2: the ACE field is believed as far as it can count', () => {
  const ecn = server();
  assert.equal(ecn.feedback(aceFlags(5), [], 3, MSS), false);
  assert.equal(ecn.feedback(aceFlags(7), [], 3, MSS), true);
  assert.equal(ecn.feedback(aceFlags(7), [], 3, MSS), false);
  // 7, 0, 1: it goes round.
  assert.equal(ecn.feedback(aceFlags(1), [], 3, MSS), true);
  assert.equal(ecn.expects(aceFlags(1)), true);
});

test('where more was delivered than it can count, the worst is taken for true, unless bytes say otherwise', () => {
  assert.equal(server().feedback(aceFlags(5), [], 16, MSS), true, 'eight or sixteen may have been marked');
  assert.equal(server().feedback(aceFlags(5), bytes(0), 16, MSS), false, 'no byte was');
  assert.equal(server().feedback(aceFlags(5), bytes(8 * MSS), 16, MSS), true);
});

test('a count of bytes that goes back is of an older acknowledgement', () => {
  const ecn = server();
  assert.equal(ecn.feedback(aceFlags(6), bytes(1000), 1, MSS), true);
  assert.equal(ecn.feedback(aceFlags(6), bytes(500), 16, MSS), true, 'not believed: what the field allows is taken');
});

test('RFC 9768 §3.1.2: what the flags of a SYN and of a SYN+ACK agree on', () => {
  const asked = (ace: number) => ecnAsked(aceFlags(ace), accurate, NOT_ECT)?.isAccurate;
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map(asked), [undefined, true, true, false, true, true, true, true]);
  const only = { ...accurate, ecn: 'accurate-on' as const };
  assert.equal(ecnAsked(aceFlags(7), only, NOT_ECT)?.isAccurate, true, 'accepted where asked for');
  assert.equal(ecnAnswered(aceFlags(1), only, NOT_ECT)?.isAccurate, false, 'and not asked for');
  assert.equal(ecnAnswered(aceFlags(2), only, NOT_ECT), undefined);
  const answered = (ace: number) => ecnAnswered(aceFlags(ace), accurate, NOT_ECT)?.isAccurate;
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map(answered), [undefined, false, true, true, true, true, true, undefined]);
});

test('RFC 9768 §3.2.2.1, §3.2.2.3: marks of the handshake count, fields that were changed on the way end it', () => {
  const client = new AccurateEcn(false, CE, 2);
  assert.equal(client.ackFlags, aceFlags(6), 'the ACK tells how the SYN+ACK came');
  assert.equal(client.ackFlags, aceFlags(6), 'then r.cep, the SYN+ACK in it');
  assert.equal(new AccurateEcn(false, ECT0, 4).isMangled, true, 'our SYN was not ECT(0)');
  assert.equal(new AccurateEcn(false, ECT0, 5).isMangled, false, '101 says nothing of it');
  const passive = server();
  passive.thirdAck(aceFlags(0), false);
  assert.equal(passive.isMangled, true, 'zeroed');
});

test('RFC 9768 §3.2.3: as many fields as there is room for, none that has news left out', () => {
  const ecn = server();
  assert.deepEqual(ecn.option(40, false, false), [], 'not before the other end is seen to send it');
  ecn.optionArrived([{ name: 'e1b', value: 1 }]);
  assert.equal(ecn.option(12, false, false).length, 3);
  assert.equal(ecn.option(8, false, false).length, 2);
  ecn.packetArrived(ECT0, 100, true);
  assert.deepEqual(ecn.option(8, false, false), [], 'the bytes of ECT(0) come third');
  assert.equal(ecn.option(12, false, false)[2].value, 101);
});
