import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ms, us } from '../../src/base/instant.ts';
import { seededRandom } from '../../src/base/random.ts';
import { Cable, type CableOptions } from '../../src/link/cable.ts';
import { withFaults } from '../../src/link/faults.ts';
import { Switch } from '../../src/link/switch.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import { Internet } from '../../src/sim/internet.ts';
import { prependEthernet } from '../../src/wire/ethernet.ts';
import { Packet } from '../../src/wire/packet.ts';
import { TestWorld } from '../lib/world.ts';

function frame(destination: number, source: number, length = 100): Uint8Array {
  const packet = Packet.of(new Uint8Array(length - 14));
  prependEthernet(packet, destination, source, 0x0800);
  return packet.view();
}

test('a cable takes its delay and the time that the bits need', () => {
  const world = new TestWorld();
  const cable = world.cable('c', { delay: ms(1), bandwidth: 1e9 });
  const arrivals: number[] = [];
  cable.b.receive = () => void arrivals.push(world.clock.now());
  // 976 bytes and 24 of preamble, FCS and gap: 8 microseconds at 1 Gbit/s.
  cable.a.send(frame(1, 2, 976));
  cable.a.send(frame(1, 2, 976));
  world.clock.runSync(ms(10));
  assert.deepEqual(arrivals, [ms(1) + us(8), ms(1) + us(16)]);
});

test('a full queue drops the tail', () => {
  const world = new TestWorld();
  const cable = world.cable('c', { bandwidth: 1e6, queue: 3000 });
  let arrived = 0;
  cable.b.receive = () => void arrived++;
  for (let n = 0; n < 10; n++) cable.a.send(frame(1, 2, 976));
  world.clock.runSync(ms(1000));
  // One on the wire and what 3000 bytes behind it hold.
  assert.equal(arrived, 4);
  assert.equal(cable.forward.fates.get('queue-full'), 6);
});

test('loss, duplication, reordering and corruption come as often as they are told to', () => {
  const world = new TestWorld();
  const cable = world.cable('c', { loss: 0.1, duplicate: 0.1, reorder: 0.1, corrupt: 0.1 });
  let arrived = 0;
  cable.b.receive = () => void arrived++;
  for (let n = 0; n < 10_000; n++) cable.a.send(frame(1, 2));
  world.clock.runSync(ms(1000));
  const { fates } = cable.forward;
  for (const fate of ['lost', 'corrupted', 'reordered', 'duplicated'] as const) {
    assert.ok(Math.abs((fates.get(fate) ?? 0) - 900) < 200, `${fate}: ${fates.get(fate)}`);
  }
  assert.equal(arrived, 10_000 - (fates.get('lost') ?? 0) + (fates.get('duplicated') ?? 0));
});

test('a corrupted frame differs in one bit, and the sender keeps its own', () => {
  const world = new TestWorld();
  const cable = world.cable('c', { corrupt: 1 });
  const sent = frame(1, 2);
  const copy = sent.slice();
  cable.b.receive = got => {
    let bits = 0;
    got.forEach((byte, at) => {
      for (let x = byte ^ copy[at]; x > 0; x &= x - 1) bits++;
    });
    assert.equal(bits, 1);
  };
  cable.a.send(sent);
  world.clock.runSync(ms(1));
  assert.deepEqual(sent, copy);
});

test('what is longer than the link takes, and what enters an unplugged cable, does not arrive', () => {
  const world = new TestWorld();
  const cable = world.cable('c', { mtu: 1500 });
  cable.b.receive = () => assert.fail('nothing arrives');
  cable.a.send(frame(1, 2, 1515));
  cable.plugged = false;
  cable.a.send(frame(1, 2));
  world.clock.runSync(ms(1));
  assert.deepEqual(
    [...cable.forward.fates],
    [
      ['too-long', 1],
      ['unplugged', 1],
    ],
  );
});

test('the same seed gives the same fates, another seed others', () => {
  const fates = (seed: number): string => {
    const world = new TestWorld(seed);
    const cable = world.cable('c', { loss: 0.5 });
    for (let n = 0; n < 64; n++) cable.a.send(frame(1, 2));
    return world
      .events('frame')
      .map(e => e.fate[0])
      .join('');
  };
  assert.equal(fates(1), fates(1));
  assert.notEqual(fates(1), fates(2));
});

test('IEEE 802.1D: a switch floods the unknown, learns, and sends to one port then', () => {
  const world = new TestWorld();
  const hub = new Switch('s', world.clock);
  const cables = ['x', 'y', 'z'].map(name => world.cable(name));
  const seen: string[] = [];
  for (const cable of cables) {
    hub.attach(cable.b);
    cable.a.receive = () => void seen.push(cable.name);
  }
  const send = (port: number, f: Uint8Array): string => {
    seen.length = 0;
    cables[port].a.send(f);
    world.clock.runSync(world.clock.now() + ms(1));
    return seen.join('');
  };
  assert.equal(send(0, frame(0xb, 0xa)), 'yz', 'unknown');
  assert.equal(send(1, frame(0xa, 0xb)), 'x', 'learned');
  assert.equal(send(0, frame(0xb, 0xa)), 'y', 'learned from the answer');
  assert.equal(send(0, frame(0xffff_ffff_ffff, 0xa)), 'yz', 'broadcast');
  assert.equal(send(0, frame(0xa, 0xc)), '', 'behind the port that it came from');
  world.clock.runSync(world.clock.now() + hub.ageing);
  assert.equal(send(0, frame(0xb, 0xa)), 'yz', 'aged out');
});

test('a switch forgets the oldest when a flood of sources fills its table', () => {
  const world = new TestWorld();
  const hub = new Switch('s', world.clock);
  hub.maxEntries = 100;
  const cable = world.cable('x');
  hub.attach(cable.b);
  for (let n = 1; n <= 1000; n++) cable.a.send(frame(0xffff_ffff_ffff, n * 2));
  world.clock.runSync(ms(10));
  assert.equal(hub.lookup(2), undefined);
  assert.ok(hub.lookup(2000) !== undefined);
});

test('faults wrap any link', () => {
  const world = new TestWorld();
  const cable = world.cable('c');
  const bad = withFaults({ loss: 0.5, delay: ms(5) }, world)(cable.a);
  let there = 0;
  let back = 0;
  cable.b.receive = () => void there++;
  bad.receive = () => void back++;
  for (let n = 0; n < 1000; n++) {
    bad.send(frame(1, 2));
    cable.b.send(frame(1, 2));
  }
  world.clock.runSync(ms(100));
  for (const count of [there, back]) assert.ok(count > 400 && count < 600, `${count}`);
});

test('a frame stays given only where nobody else has it: not with a trace, not twice, not to several ports', () => {
  const clock = new VirtualClock();
  const cable = (name: string, options: Partial<CableOptions> = {}): Cable =>
    new Cable(name, options, { scheduler: clock, random: seededRandom(name) });
  const heard = (send: (frame: Uint8Array) => void, ...ends: Cable['b'][]): boolean[] => {
    const given: boolean[] = [];
    for (const end of ends) end.receive = (_frame, _unit, isGiven) => void given.push(isGiven ?? false);
    send(frame(1, 2));
    clock.runSync(clock.now() + ms(100));
    return given;
  };
  const plain = cable('plain');
  assert.deepEqual(
    heard(bytes => plain.a.send(bytes, 0, true), plain.b),
    [true],
  );
  assert.deepEqual(
    heard(bytes => plain.a.send(bytes), plain.b),
    [false],
  );
  const twice = cable('twice', { duplicate: 1 });
  assert.deepEqual(
    heard(bytes => twice.a.send(bytes, 0, true), twice.b),
    [false, false],
  );
  const world = { scheduler: clock, random: seededRandom('traced'), trace: () => {} };
  const traced = new Cable('traced', {}, world);
  assert.deepEqual(
    heard(bytes => traced.a.send(bytes, 0, true), traced.b),
    [false],
  );
  const [in1, out1, out2] = [cable('in'), cable('out1'), cable('out2')];
  const lan = new Switch('lan', clock);
  for (const port of [in1.b, out1.a, out2.a]) lan.attach(port);
  assert.deepEqual(
    heard(bytes => in1.a.send(bytes, 0, true), out1.b, out2.b),
    [false, false],
  );
});

test('packets cross a cable as they are; who sets `receive` again gets frames', () => {
  const clock = new VirtualClock();
  const cable = new Cable('c', {}, { scheduler: clock, random: seededRandom('c') });
  const heard: unknown[] = [];
  cable.b.receive = bytes => void heard.push(bytes[0]);
  cable.b.receivePacket = packet => void heard.push(packet);
  const packet = Packet.of(frame(1, 2), 0);
  cable.a.sendPacket(packet);
  clock.runSync(ms(1));
  cable.b.receive = bytes => void heard.push(bytes.length);
  cable.a.sendPacket(packet);
  clock.runSync(ms(2));
  assert.deepEqual(heard, [packet, packet.length]);
});

test('a router sends a frame on in place, and with a trace a copy: the receiver cannot tell', () => {
  const arrives = (traced: boolean): string => {
    const heard: Uint8Array[] = [];
    const net = new Internet(traced ? { seed: 1, trace: () => {} } : { seed: 1 });
    const [a, r, b] = [net.host('a'), net.router('r'), net.host('b')];
    net.join(a, '10.0.1.2/24', r, '10.0.1.1/24');
    net.join(r, '10.0.2.1/24', b, '10.0.2.2/24');
    net.route();
    b.network.datagram({ port: 9 }, { message: ({ bytes }) => void heard.push(bytes.slice()), error() {} });
    const socket = a.network.datagram({}, { message() {}, error() {} });
    for (let n = 0; n < 3; n++) socket.send(new Uint8Array(1000).fill(n), { address: '10.0.2.2', port: 9 });
    net.clock.runSync(ms(100));
    return heard.map(bytes => `${bytes.length} of ${bytes[0]}`).join();
  };
  assert.equal(arrives(false), '1000 of 0,1000 of 1,1000 of 2');
  assert.equal(arrives(true), arrives(false));
});
