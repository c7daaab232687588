import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'netarium-cli-'));
after(() => rmSync(folder, { recursive: true }));

function netarium(...args: string[]): { status: number | null; out: string; err: string } {
  const env = { ...process.env, NO_COLOR: '1' };
  const result = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], { env });
  return { status: result.status, out: result.stdout.toString(), err: result.stderr.toString() };
}

test('netarium get tells the journey, in 80 columns, and nothing on stderr', () => {
  const { status, out, err } = netarium('get', 'http://www.example.test/');
  assert.deepEqual([status, err], [0, '']);
  for (const part of [
    'sealed internet · seed 1',
    'NAME',
    'NEXT HOP',
    'CONNECT',
    'SYN_SENT',
    'SYN_RCVD',
    'REQUEST',
    'PAGE',
    'CLOSE',
    'TIME_WAIT',
    '2 MSL',
  ]) {
    assert.ok(out.includes(part), part);
  }
  for (const line of out.split('\n')) assert.ok([...line].length <= 80, line);
  assert.ok(!out.includes('\u001b'));
});

test('wrong usage is one line and exit status 2', () => {
  const wrong: [string[], RegExp][] = [
    [['get'], /get needs a URL/],
    [['get', 'http://a/', 'b'], /'b' is too much/],
    [['get', 'https://a/'], /https is not spoken here yet/],
    [['get', 'ftp://a/'], /'ftp:' URLs are not loaded/],
    [['get', 'http://[/'], /is not a URL/],
    [['get', 'http://a/', '--loss', '120%'], /--loss takes a share/],
    [['get', 'http://a/', '--delay', 'long'], /--delay takes a time/],
    [['get', 'http://a/', '--without-cache', 'x'], /--without-cache takes browser, host, router, resolver/],
    [['get', 'http://a/', '--site', 'x'], /--site takes HOST=DIR/],
    [['get', 'http://a/', '--site', 'x.test=/no/such/dir'], /there is no folder/],
    [['get', 'http://a/', '--site', 'x.com=.'], /must end in \.test/],
    [['get', 'http://a/', '--nonsense'], /Unknown option '--nonsense'/],
    [['get', 'http://a/', '--seed'], /--seed/],
    [['get', 'http://www.example.test/', '--pcap', '/no/such/dir/x.pcapng'], /can't be written/],
    [['get', 'http://www.example.test/', '--pcap-link', 'x'], /there is no link 'x'/],
    [['get', 'http://a/', '--tap', 't'], /--tap needs --address/],
    [['serve', '.'], /serve needs --tap/],
    [['serve', '/no/such', '--tap', 't'], /there is no folder/],
    [['dig'], /dig takes a name/],
    [['dig', 'a', 'NOPE'], /'NOPE' is no record type/],
    [['ping', 'a', '--count', '0'], /--count takes a whole number/],
    [['map', 'x'], /map takes no 'x'/],
    [['frobnicate'], /there is no command 'frobnicate'/],
  ];
  for (const [args, message] of wrong) {
    const { status, err } = netarium(...args);
    assert.equal(status, 2, `${args.join(' ')}: ${err}`);
    assert.match(err, message);
    assert.match(err, /^netarium: [^\n]+\n$/);
  }
});

test('each failure names its layer, in one line, exit status 1', () => {
  const failures: [string, RegExp][] = [
    [
      'http://nope.example.test/',
      /^netarium: NAME: nope\.example\.test does not exist \(says the zone example\.test\)\n$/,
    ],
    ['http://loop.example.test/', /^netarium: NAME: loop\.example\.test has no end: CNAME loop: [^\n]+\n$/],
    [
      'http://x.dead.test/',
      /^netarium: NAME: x\.dead\.test could not be looked up: no name server of dead\.test\. answers[^\n]+\n$/,
    ],
    ['http://www.example.test:81/', /^netarium: CONNECT: 203\.0\.113\.80:81 refuses the connection[^\n]+\n$/],
    [
      'http://down.example.test/',
      /^netarium: ROUTE: 203\.0\.113\.99:80 can't be reached \([^\n]*host unreachable, says [^\n]+\n$/,
    ],
    [
      'http://nowhere.example.test/',
      /^netarium: ROUTE: 192\.88\.99\.1:80 can't be reached \([^\n]*network unreachable, says [^\n]+\n$/,
    ],
    ['http://www.example.test/circle', /^netarium: HTTP: [^\n]*redirects more than 20 times\n$/],
  ];
  for (const [url, message] of failures) {
    const { status, err } = netarium('get', url);
    assert.equal(status, 1, url);
    assert.match(err, message);
  }
});

test('a line that loses everything: nobody answers ARP', () => {
  const { status, err } = netarium('get', 'http://203.0.113.80/', '--loss', '100%');
  assert.equal(status, 1);
  assert.match(
    err,
    /^netarium: ROUTE: 203\.0\.113\.80:80 can't be reached \([^\n]*host unreachable, says 192\.168\.1\.20\)\n$/,
  );
});

test('--json, --pcap, --save and --site', () => {
  const own = join(folder, 'public');
  mkdirSync(own);
  writeFileSync(join(own, 'index.html'), '<title>Shop</title><img src="a.svg">');
  writeFileSync(join(own, 'a.svg'), '<svg/>');
  const pcap = join(folder, 'x.pcapng');
  const saved = join(folder, 'saved');
  const { status, out } = netarium(
    'get',
    'http://shop.test/',
    '--site',
    `shop.test=${own}`,
    '--json',
    '--pcap',
    pcap,
    '--save',
    saved,
  );
  assert.equal(status, 0);
  const journey = JSON.parse(out);
  assert.deepEqual(
    journey.requests.map((r: { url: string }) => r.url),
    ['http://shop.test/', 'http://shop.test/a.svg'],
  );
  assert.equal(readFileSync(pcap).readUInt32LE(0), 0x0a0d0d0a);
  assert.equal(readFileSync(join(saved, 'shop.test', 'a.svg'), 'utf8'), '<svg/>');
  assert.ok(existsSync(join(saved, 'shop.test', 'index.html')));
});

test('the same seed writes the same capture, another one another', () => {
  const write = (seed: string, name: string): Buffer => {
    const file = join(folder, name);
    netarium('get', 'http://www.example.test/', '--seed', seed, '--pcap', file);
    return readFileSync(file);
  };
  const first = write('4', 'a.pcapng');
  assert.ok(first.equals(write('4', 'b.pcapng')));
  assert.ok(!first.equals(write('5', 'c.pcapng')));
});

test('netarium ping, dig, map and help', () => {
  assert.match(netarium('ping', 'www.example.test').out, /4 sent, 4 answered, 0 % lost/);
  assert.match(netarium('ping', 'www.example.test', '--ttl', '2', '--count', '1').out, /time exceeded in transit/);
  assert.match(
    netarium('dig', 'www.example.test', '--trace').out,
    /refers to test\.[\s\S]*refers to example\.test\.[\s\S]*203\.0\.113\.80/,
  );
  assert.match(netarium('dig', '203.0.113.80').out, /PTR {2}www\.example\.test\./);
  const caches = netarium('dig', 'www.example.test', '--caches', '--without-cache', 'router').out;
  assert.match(
    caches,
    /host cache:\n {2}www\.example\.test\. A 203\.0\.113\.80, 300 s left\nrouter cache: switched off\nresolver cache:\n/,
  );
  assert.match(
    netarium('get', 'http://www.example.test/about.html', '--without-cache', 'browser').out,
    /browser cache {2}off/,
  );
  const missing = netarium('dig', 'nope.example.test');
  assert.deepEqual([missing.status, missing.err], [1, 'netarium: NAME: nope.example.test NXDOMAIN\n']);
  assert.match(netarium('map').out, /laptop[\s\S]*home-router[\s\S]*\(NAT\)[\s\S]*21 hosts, 8 switches, 29 links/);
  assert.match(netarium('help').out, /netarium get URL/);
  assert.match(netarium('help', 'get').out, /--pcap FILE/);
  assert.equal(netarium().status, 2);
});

test('a reader that stops early is no error', () => {
  const result = spawnSync('sh', [
    '-c',
    `"${process.execPath}" --import tsx src/cli/main.ts get http://www.example.test/ --verbose | head -1`,
  ]);
  assert.equal(result.stderr.toString(), '');
});
