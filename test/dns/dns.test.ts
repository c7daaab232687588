import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthoritativeServer, Zone } from '../../src/application/dns/authoritative.ts';
import { HostsFile } from '../../src/application/dns/hosts-file.ts';
import { AddressLookup } from '../../src/application/dns/lookup.ts';
import { NameError } from '../../src/application/dns/types.ts';
import { parseZoneFile, ZoneFileError } from '../../src/application/dns/zone-file.ts';
import { minutes, seconds } from '../../src/base/instant.ts';
import { BuiltinInternet, type BuiltinOptions } from '../../src/sim/builtin/builtin.ts';
import { Recorder } from '../../src/trace/recorder.ts';
import { emptyMessage, formatData, formatRecord } from '../../src/wire/dns.ts';
import { type DnsMessage, RCODE, RR, rrName, typeOf } from '../../src/wire/dns-types.ts';

const ZONE = `
$TTL 1h
$ORIGIN example.test.
@    IN SOA ns1 hostmaster ( 1 2h 30m ; a comment (with brackets)
                             1w 300 )
     NS  ns1
     NS  ns2.other.test.
ns1  A   192.0.2.1
www  300 IN A 192.0.2.2
     IN 300 AAAA 2001:db8::2
alias CNAME www
out  CNAME www.elsewhere.test.
*.wild A 192.0.2.3
a.b.deep TXT "two words" "and\\"quotes\\""
sub  NS  ns.sub
ns.sub A 192.0.2.4
loop1 CNAME loop2
loop2 CNAME loop1
odd  TYPE65280 \\# 3 01 02 03
`;

function ask(name: string, type: number, zone = ZONE): DnsMessage {
  const server = new AuthoritativeServer();
  server.add(Zone.parse(zone, 'example.test.'));
  const query = emptyMessage(1, name, type);
  const response: DnsMessage = { ...query, response: true, answers: [], authorities: [], additionals: [] };
  server.handle(query, response);
  return response;
}

const shown = (message: DnsMessage): string[] =>
  message.answers.map(r => `${rrName(typeOf(r.data))} ${formatData(r.data)}`);

test('RFC 1035 §5: zone files with all that they may hold', () => {
  const records = parseZoneFile(ZONE, 'example.test.').map(formatRecord);
  assert.equal(
    records[0],
    'example.test. 3600 IN SOA ns1.example.test. hostmaster.example.test. 1 7200 1800 604800 300',
  );
  assert.ok(records.includes('www.example.test. 300 IN AAAA 2001:db8::2'));
  assert.ok(records.includes('a.b.deep.example.test. 3600 IN TXT "two words" "and\\"quotes\\""'));
  assert.ok(records.includes('odd.example.test. 3600 IN TYPE65280 \\# 3 010203'));
});

test('a zone file that is wrong says where and what', () => {
  const wrong: [string, RegExp][] = [
    ['a A 1.2.3', /^z:1: '1\.2\.3' is no IPv4 address$/],
    ['\n\na NOPE x', /^z:3: 'NOPE' is no record type$/],
    ['a 60 A 1.2.3.4 5', /^z:1: A: '5' is too much$/],
    ['a 60 MX 10', /^z:1: MX: mail server is missing$/],
    ['a 60 MX x y', /^z:1: MX: 'x' is no preference$/],
    ['a A 1.2.3.4', /^z:1: no TTL/],
    ['a ( A 1.2.3.4', /^z:1: a \( without a \)$/],
    ['a 60 TXT "x', /^z:1: a quoted string does not end$/],
    [' 60 A 1.2.3.4', /^z:1: the first record has no owner$/],
    ['$INCLUDE x', /^z:1: \$INCLUDE is not supported/],
    ['a..b 60 A 1.2.3.4', /is no domain name$/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(
      () => parseZoneFile(text, 'test.', 'z'),
      error => error instanceof ZoneFileError && message.test(error.message),
      text,
    );
  }
  assert.throws(() => Zone.parse('$TTL 1\na A 1.2.3.4', 'test.', 'z'), /needs a SOA/);
  assert.throws(() => Zone.parse(`${ZONE}\nwww CNAME x`, 'example.test.', 'z'), /has a CNAME and other data/);
});

test('RFC 1034 §4.3.2: answers, aliases, referrals with glue, wildcards, empty non-terminals', () => {
  assert.deepEqual(shown(ask('www.example.test.', RR.A)), ['A 192.0.2.2']);
  assert.deepEqual(shown(ask('WWW.Example.TEST.', RR.A)), ['A 192.0.2.2'], 'RFC 4343');
  assert.deepEqual(shown(ask('alias.example.test.', RR.A)), ['CNAME www.example.test.', 'A 192.0.2.2']);
  assert.deepEqual(shown(ask('alias.example.test.', RR.CNAME)), ['CNAME www.example.test.']);
  assert.deepEqual(shown(ask('out.example.test.', RR.A)), ['CNAME www.elsewhere.test.']);
  assert.deepEqual(shown(ask('x.y.wild.example.test.', RR.A)), ['A 192.0.2.3'], 'RFC 4592');
  const referral = ask('host.sub.example.test.', RR.A);
  assert.equal(referral.authoritative, false);
  assert.deepEqual(
    referral.authorities.map(r => formatData(r.data)),
    ['ns.sub.example.test.'],
  );
  assert.deepEqual(
    referral.additionals.map(r => formatData(r.data)),
    ['192.0.2.4'],
  );
  assert.equal(ask('b.deep.example.test.', RR.A).rcode, RCODE.NOERROR, 'an empty non-terminal exists');
  assert.equal(ask('elsewhere.test.', RR.A).rcode, RCODE.REFUSED);
  assert.deepEqual(shown(ask('loop1.example.test.', RR.A)).length, 2, 'a loop ends');
});

test('RFC 2308 §2: NXDOMAIN and NODATA carry the SOA', () => {
  const missing = ask('nope.example.test.', RR.A);
  assert.deepEqual([missing.rcode, missing.authorities[0].data.type], [RCODE.NXDOMAIN, 'SOA']);
  const noData = ask('www.example.test.', RR.MX);
  assert.deepEqual([noData.rcode, noData.answers.length, noData.authorities[0].data.type], [RCODE.NOERROR, 0, 'SOA']);
});

test('a hosts file', () => {
  const hosts = new HostsFile(
    '127.0.0.1 localhost me # a comment\n# nothing\nbad line\n::1 localhost\n10.0.0.1\tTab.Test',
  );
  assert.equal(formatData(hosts.lookup('me.', RR.A)[0].data), '127.0.0.1');
  assert.equal(formatData(hosts.lookup('localhost.', RR.AAAA)[0].data), '::1');
  assert.equal(hosts.lookup('tab.test.', RR.A).length, 1);
  assert.equal(hosts.lookup('other.', RR.A).length, 0);
});

function internet(options: BuiltinOptions = {}): {
  world: BuiltinInternet;
  recorder: Recorder;
  lookup: (name: string) => Promise<string[]>;
  queries: () => string[];
} {
  const recorder = new Recorder({ keepFrames: false });
  const world = new BuiltinInternet({ ...options, trace: recorder.sink });
  const names = new AddressLookup(world.laptopResolver);
  const queries = (): string[] =>
    recorder.events
      .splice(0)
      .flatMap(e => (e.kind === 'dns' && e.action === 'query' ? [`${e.host} asks ${e.server?.split(' ')[0]}`] : []));
  return { world, recorder, queries, lookup: name => world.clock.until(names.lookup(name)) };
}

async function failure(promise: Promise<unknown>): Promise<NameError> {
  const error = await promise.then(
    () => undefined,
    e => e,
  );
  assert.ok(error instanceof NameError, String(error));
  return error;
}

test('a name is walked down from the root once, and then comes from each cache in turn', async () => {
  const { world, lookup, queries } = internet();
  assert.deepEqual(await lookup('www.example.test'), ['203.0.113.80']);
  const first = queries();
  assert.equal(first.length, 5);
  assert.match(first[2], /^resolver asks [ab]\.root\.test$/);
  assert.match(first[4], /^resolver asks ns[12]\.example\.test$/);
  await lookup('www.example.test');
  assert.deepEqual(queries(), [], 'the host cache has it');
  world.laptopResolver.cache.clear();
  await lookup('www.example.test');
  assert.deepEqual(queries(), ['laptop asks home-router'], 'the router cache has it');
  world.laptopResolver.cache.clear();
  world.routerResolver.cache.enabled = false;
  await lookup('www.example.test');
  assert.deepEqual(
    queries(),
    ['laptop asks home-router', 'home-router asks resolver'],
    'switched off, the resolver is asked',
  );
});

test('TTLs count down and end', async () => {
  const { world, lookup, queries } = internet();
  await lookup('www.example.test');
  assert.match(world.laptopResolver.cache.list()[0], /^www\.example\.test\. A 203\.0\.113\.80, 300 s left$/);
  world.clock.runSync(world.clock.now() + seconds(100));
  assert.equal(world.laptopResolver.cache.get('www.example.test.', RR.A)?.records[0].ttl, 200);
  world.clock.runSync(world.clock.now() + seconds(201));
  queries();
  await lookup('www.example.test');
  assert.match(
    queries().at(-1) as string,
    /^resolver asks ns[12]\.example\.test$/,
    'the zone is still known, the name is not',
  );
});

test('RFC 2308: what does not exist is remembered too', async () => {
  const { lookup, queries } = internet();
  const error = await failure(lookup('nope.example.test'));
  assert.equal(error.code, 'ENOTFOUND');
  assert.equal(error.message, 'nope.example.test does not exist (says the zone example.test)');
  queries();
  await failure(lookup('nope.example.test'));
  assert.deepEqual(queries(), []);
});

test('each failure has its own clear error', async () => {
  const { lookup } = internet();
  assert.equal(
    (await failure(lookup('nope.invalid'))).message,
    'nope.invalid does not exist (says the zone of the root)',
  );
  assert.equal((await failure(lookup('big.example.test'))).code, 'ENODATA');
  const loop = await failure(lookup('loop.example.test'));
  assert.deepEqual(
    [loop.code, loop.message.includes('loop.example.test → loop2.example.test → loop.example.test')],
    ['ECNAMELOOP', true],
  );
  const dead = await failure(lookup('www.dead.test'));
  assert.equal(dead.code, 'ESERVFAIL');
  assert.match(dead.message, /no name server of dead\.test\. answers; ns1\.dead\.test \(203\.0\.113\.66\)/);
  assert.equal((await failure(lookup('a..b'))).code, 'EBADNAME');
});

test('a home router that is off: the stub tries again, and says who did not answer', async () => {
  const { world, lookup, queries } = internet();
  world.get('resolver').powered = false;
  const error = await failure(lookup('www.example.test'));
  assert.equal(error.code, 'ESERVFAIL');
  assert.ok(queries().filter(q => q === 'home-router asks resolver').length >= 4);
});

test('one name server that is off does not matter: the other one answers', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const { world, lookup } = internet({ seed });
    for (const name of ['a.root', 'ns1.nic', 'ns1.example']) world.get(name).powered = false;
    assert.deepEqual(await lookup('www.example.test'), ['203.0.113.80']);
  }
});

test('RFC 7766: a truncated answer is fetched over TCP', async () => {
  const { world, recorder } = internet();
  const answer = await world.clock.until(world.laptopResolver.resolve('big.example.test.', RR.TXT));
  assert.equal(answer.records.length, 1);
  const over = recorder.events.filter(e => e.kind === 'dns' && e.action === 'truncated');
  assert.deepEqual(
    over.map(e => e.host),
    ['resolver', 'home-router', 'laptop'],
  );
});

test('records of all types, aliases and reverse names', async () => {
  const { world } = internet();
  const resolve = async (name: string, type: number): Promise<string[]> =>
    (await world.clock.until(world.laptopResolver.resolve(name, type))).records.map(r => formatData(r.data));
  assert.deepEqual(await resolve('home.example.test.', RR.A), ['www.example.test.', '203.0.113.80']);
  assert.deepEqual(await resolve('example.test.', RR.MX), ['10 mail.example.test.']);
  assert.deepEqual(await resolve('_http._tcp.example.test.', RR.SRV), ['10 5 80 www.example.test.']);
  assert.deepEqual(await resolve('80.113.0.203.in-addr.arpa.', RR.PTR), ['www.example.test.']);
  assert.deepEqual(await resolve('example.test.', RR.SOA), [
    'ns1.example.test. hostmaster.example.test. 2026010100 1800 900 604800 60',
  ]);
});

test('questions carry random ids, ports and mixed case, and answers that differ are not believed', async () => {
  const { world, lookup } = internet();
  const laptop = world.get('laptop');
  const ports = new Set<number>();
  const open = laptop.udp.open.bind(laptop.udp);
  laptop.udp.open = (...args) => {
    const socket = open(...args);
    if (socket !== undefined) ports.add(socket.port);
    return socket;
  };
  // Somebody at home sends answers of its own, to a port that it guesses, with an id that it guesses.
  const phone = world.get('phone').udp.open(53);
  world.clock.at(seconds(0.001), () => {
    for (let port = 49152; port < 65536; port += 16) phone?.send(new Uint8Array(12), 0xc0a80114, port);
  });
  assert.deepEqual(await lookup('www.example.test'), ['203.0.113.80']);
  await lookup('img.example.test');
  assert.equal(ports.size, 2);
});

test('equal questions at the same time are asked once', async () => {
  const { world, queries } = internet();
  const both = Promise.all([1, 2, 3].map(() => world.laptopResolver.resolve('www.example.test.', RR.A)));
  await world.clock.until(both);
  assert.equal(queries().filter(q => q.startsWith('laptop')).length, 1);
});

test('names survive a bad line', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { world, lookup } = internet({ seed, loss: 0.2 });
    assert.deepEqual(await lookup('www.example.test'), ['203.0.113.80']);
    assert.ok(world.clock.now() < minutes(1));
  }
});
