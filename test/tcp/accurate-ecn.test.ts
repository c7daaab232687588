/** RFC 9768: what AccECN's counters make of acknowledgements, and what is agreed on. The exchanges are in packetdrill/rfc. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccurateEcn } from '../../src/transport/tcp/accurate-ecn.ts';
import { ecnAnswered, ecnAsked } from '../../src/transport/tcp/ecn.ts';
import { aceFlags, aceOf, CE, ECT0, NOT_ECT } from '../../src/transport/tcp/ecn-field.ts';
import { LINUX_PROFILE, RFC_PROFILE } from '../../src/transport/tcp/profiles.ts';
import type { AccEcnField } from '../../src/wire/tcp.ts';

const MSS = 1000;
const accurate = { ...RFC_PROFILE, ecn: 'accurate' as const };
const server = (): AccurateEcn => new AccurateEcn(accurate, NOT_ECT);
/** How many packets one acknowledgement says to be marked. */
const told = (ecn: AccurateEcn, flags: number, option: AccEcnField[] | undefined, packets: number): number =>
  ecn.feedback.read(aceOf(flags), option, packets, packets * MSS, MSS);
const bytes = (ceb: number) => [{ name: 'ceb' as const, value: ceb }];

test('RFC 9768 §3.2.2.5.2: the ACE field is believed as far as it can count', () => {
  const ecn = server();
  assert.equal(told(ecn, aceFlags(5), undefined, 3), 0);
  assert.equal(told(ecn, aceFlags(7), undefined, 3), 2);
  assert.equal(told(ecn, aceFlags(7), undefined, 3), 0);
  // 7, 0, 1: it goes round.
  assert.equal(told(ecn, aceFlags(1), undefined, 3), 2);
  assert.equal(ecn.expects(aceFlags(1)), true);
});

test('where more was delivered than it can count, the worst is taken for true, unless bytes say otherwise', () => {
  const regular = server();
  told(regular, aceFlags(5), undefined, 1);
  assert.equal(told(regular, aceFlags(5), undefined, 16), 16, 'eight or sixteen may have been marked');
  assert.equal(told(server(), aceFlags(5), bytes(0), 16), 0, 'no byte was');
  assert.equal(told(server(), aceFlags(5), bytes(8 * MSS), 16), 8, 'half of them');
  assert.equal(told(server(), aceFlags(5), bytes(8 * MSS), 15), 8);
  assert.equal(told(server(), aceFlags(5), undefined, 16), 0, 'where acknowledgements are always that few');
});

test('a count of bytes that goes back is of an older acknowledgement', () => {
  const ecn = server();
  assert.equal(told(ecn, aceFlags(6), bytes(1000), 1), 1);
  assert.equal(told(ecn, aceFlags(6), bytes(500), 16), 16, 'not believed: what the field allows is taken');
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
  const client = new AccurateEcn(accurate, CE, 2);
  assert.equal(client.ackFlags, aceFlags(6), 'the ACK tells how the SYN+ACK came');
  assert.equal(client.ackFlags, aceFlags(6), 'then r.cep, the SYN+ACK in it');
  assert.equal(new AccurateEcn(accurate, ECT0, 4).isMangled, true, 'our SYN was not ECT(0)');
  assert.equal(new AccurateEcn(accurate, ECT0, 5).isMangled, false, '101 says nothing of it');
  const passive = server();
  passive.thirdAck(aceFlags(0), false);
  assert.equal(passive.isMangled, true, 'zeroed');
});

test('RFC 9768 §3.2.3: as many fields as there is room for, none that has news left out', () => {
  const ecn = server();
  const fields = (room: number, blocks = 0) => ecn.fit(0, room, blocks, undefined).fields;
  assert.equal(fields(40), -1, 'not before the other end is seen to send it');
  ecn.feedback.review([{ name: 'e1b', value: 1 }]);
  assert.equal(fields(12), 3);
  assert.equal(fields(8), 2);
  assert.equal(fields(0, 3), 0, 'by itself it stands where SACK would be padded');
  ecn.packetArrived(ECT0, 100, 1, true);
  assert.equal(fields(8), -1, 'the bytes of ECT(0) come third');
  assert.deepEqual({ ...ecn.fit(0, 4, 3, undefined) }, { blocks: 2, fields: 3 }, 'a SACK block gives way to news');
  assert.equal(ecn.option(0, 3, undefined)?.[2].value, 101);
});

test('RFC 9768 §3.2.3.2.2: what comes again although it was acknowledged twice says that the option is not let through', () => {
  const ecn = server();
  ecn.feedback.review([{ name: 'e1b', value: 1 }]);
  ecn.option(0, 3, 1000);
  ecn.repeated(2000);
  assert.equal(ecn.optionIsLost, false);
  ecn.repeated(1000);
  assert.equal(ecn.fit(0, 40, 0, undefined).fields, -1);
});

test('RFC 9768 §3.2.3.3: where the option is sent only when it tells something, it is so three times per round trip', () => {
  const ecn = new AccurateEcn({ ...LINUX_PROFILE, accurateEcnOption: 'minimal' }, NOT_ECT);
  ecn.feedback.review([{ name: 'e1b', value: 1 }]);
  const rtt = 30e6;
  assert.equal(ecn.fit(0, 40, 0, rtt).fields, 3, 'the first acknowledgement has it');
  ecn.option(0, 3, undefined);
  assert.equal(ecn.fit(9e6, 40, 0, rtt).fields, -1);
  assert.equal(ecn.fit(10e6, 40, 0, rtt).fields, 3);
  ecn.packetArrived(CE, 100, 1, true);
  assert.equal(ecn.fit(1e6, 40, 0, rtt).fields, 3, 'a mark is news');
});

test('RFC 9768 §3.1.4.2: a SYN+ACK that is lost twice is sent without ECN, and nothing of ours is ECN-capable then', () => {
  const ecn = server();
  assert.equal(ecn.synAckFlags, aceFlags(2));
  ecn.synAckSent(true);
  assert.equal(ecn.synAckFlags, aceFlags(2));
  ecn.synAckSent(true);
  assert.equal(ecn.synAckFlags, 0);
  assert.equal(ecn.isMangled, true);
});
