/**
 * Our stack and the Linux kernel, over a TAP device in a network namespace of its own: curl, ping and a browser reach
 * our server, our browser loads from a real nginx, over good paths and bad ones.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from '../lib/chromium.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const lacking = ['ip', 'tc', 'nft', 'curl', 'ping', 'nginx', 'chromium'].filter(program => !has(program));
const skip =
  process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/dev/net/tun')
    ? 'needs root on Linux, and /dev/net/tun'
    : lacking.length > 0
      ? `needs ${lacking.join(', ')}`
      : false;

const NAMESPACE = `netarium${process.pid}`;
const TAP = 'tap0';
const OURS = '10.77.0.2';
const KERNEL = '10.77.0.1';
const SIZE = 100_000_000;
const folder = mkdtempSync(join(tmpdir(), 'netarium-tap-'));
const site = join(folder, 'site');
const running: ChildProcess[] = [];
let checksum = '';

const CLI = [process.execPath, '--import', 'tsx', 'src/cli/main.ts'];
const inside = (command: readonly string[]): string[] => ['netns', 'exec', NAMESPACE, ...command];
const run = (command: readonly string[]): string =>
  execFileSync('ip', inside(command), { maxBuffer: 1 << 28, timeout: 240_000 }).toString();

function makeSite(): void {
  mkdirSync(site);
  writeFileSync(
    join(site, 'index.html'),
    '<!doctype html><title>Glass</title><h1>Through the glass</h1><img src="dot.svg">',
  );
  writeFileSync(join(site, 'dot.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(site, 'page.html'), '<!doctype html><title>Big</title><img src="big.bin">');
  const hash = createHash('sha256');
  const file = openSync(join(site, 'big.bin'), 'w');
  for (let left = SIZE; left > 0; left -= 1_000_000) {
    const piece = randomBytes(1_000_000);
    hash.update(piece);
    writeSync(file, piece);
  }
  closeSync(file);
  checksum = hash.digest('hex');
}

/** Starts a program in the namespace and waits until it says so. */
async function start(command: readonly string[], ready?: RegExp): Promise<ChildProcess> {
  const child = spawn('ip', inside(command), { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let text = '';
  await new Promise<void>((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      text += chunk;
      if (ready === undefined || ready.test(text)) resolve();
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.on('exit', code => reject(new Error(`${command.join(' ')} ended with ${code}: ${text}`)));
    if (ready === undefined) setTimeout(resolve, 500);
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function serving<T>(flags: readonly string[], body: () => T): Promise<T> {
  const server = await start([...CLI, 'serve', site, '--tap', TAP, '--address', `${OURS}/24`, ...flags], /serving/);
  try {
    return body();
  } finally {
    await stop(server);
  }
}

const download = (): string => run(['sh', '-c', `curl -sS --fail http://${OURS}/big.bin | sha256sum`]).split(' ')[0];

async function getFromNginx(
  path: string,
  flags: readonly string[],
  kernel = KERNEL,
  address = `${OURS}/24`,
): Promise<string> {
  const config = join(folder, 'nginx.conf');
  const server = `server { listen ${kernel}:8080; root ${site}; }`;
  writeFileSync(
    config,
    `daemon off; user root; pid ${folder}/nginx.pid; error_log ${folder}/nginx.err; events {} http { access_log off; include /etc/nginx/mime.types; ${server} }`,
  );
  const nginx = await start(['nginx', '-c', config]);
  try {
    return run([
      ...CLI,
      'get',
      `http://${kernel}:8080${path}`,
      '--tap',
      TAP,
      '--address',
      address,
      '--save',
      join(folder, 'saved'),
      ...flags,
    ]);
  } finally {
    await stop(nginx);
  }
}

const macOf = (address: string): string =>
  /lladdr (\S+)/.exec(run(['ip', '-6', 'neigh', 'show', address]))?.[1] ?? 'none';

/** Looks ten times a second, for at most ten seconds. */
async function settled(done: () => boolean): Promise<void> {
  for (let left = 100; left > 0; left--) {
    if (done()) return;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  assert.fail('it has not happened within ten seconds');
}

const savedChecksum = (): string => {
  const file = join(folder, 'saved', `${KERNEL}_8080`, 'big.bin');
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
  rmSync(file);
  return hash;
};

before(() => {
  if (skip) return;
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  run(['ip', 'link', 'set', 'lo', 'up']);
  run(['ip', 'tuntap', 'add', 'dev', TAP, 'mode', 'tap']);
  run(['ip', 'addr', 'add', `${KERNEL}/24`, 'dev', TAP]);
  run(['ip', 'link', 'set', TAP, 'up']);
  makeSite();
});

after(async () => {
  for (const child of running) await stop(child);
  if (!skip) execFileSync('ip', ['netns', 'del', NAMESPACE]);
  rmSync(folder, { recursive: true, force: true });
});

test('netarium serve: ping, curl and a browser reach us', { skip }, async () => {
  await serving([], () => {
    assert.match(run(['ping', '-c', '3', '-i', '0.2', OURS]), /3 received/);
    assert.match(run(['ping', '-c', '1', '-s', '8000', OURS]), /1 received/, 'in fragments');
    assert.match(run(['curl', '-sS', '-i', '--compressed', `http://${OURS}/`]), /200 OK[\s\S]*Through the glass/);
    assert.equal(run(['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', `http://${OURS}/none`]), '404');
    assert.equal(run(['curl', '-sS', '-r', '5-9', `http://${OURS}/index.html`]), 'type ');
    const refused = spawnSync('ip', inside(['curl', '-sS', `http://${OURS}:81/`]));
    assert.equal(refused.status, 7, 'curl: failed to connect, at once');
    assert.match(
      run([...chromium(join(folder, 'chromium')), '--dump-dom', `http://${OURS}/`]),
      /<h1>Through the glass<\/h1>/,
    );
  });
});

test('IPv6: neighbour discovery, fragments both ways, curl, and a page of a real nginx', { skip }, async () => {
  const [ours, kernel] = ['fd77::2', 'fd77::1'];
  run(['ip', '-6', 'addr', 'add', `${kernel}/64`, 'dev', TAP, 'nodad']);
  const server = await start([...CLI, 'serve', site, '--tap', TAP, '--address', `${ours}/64`], /serving/);
  try {
    assert.match(run(['ping', '-c', '3', '-i', '0.2', ours]), /3 received/);
    assert.match(run(['ping', '-c', '1', '-s', '8000', ours]), /1 received/, 'in fragments');
    assert.match(run(['curl', '-sS', '-i', `http://[${ours}]/`]), /200 OK[\s\S]*Through the glass/);
    const sum = run(['sh', '-c', `curl -sS --fail -g 'http://[${ours}]/big.bin' | sha256sum`]).split(' ')[0];
    assert.equal(sum, checksum, '100 MB, whole');
    assert.equal(spawnSync('ip', inside(['curl', '-sS', '-g', `http://[${ours}]:81/`])).status, 7, 'refused');
    assert.match(run(['ping', '-c', '1', '-I', TAP, 'ff02::1']), /1 received/, 'RFC 4443 §4.2: to all nodes');
    // RFC 4861 §7.3: the kernel makes sure of us, and we answer.
    run(['ip', '-6', 'neigh', 'change', ours, 'lladdr', macOf(ours), 'dev', TAP, 'nud', 'probe']);
    await settled(() => /REACHABLE/.test(run(['ip', '-6', 'neigh', 'show', ours])));
    // RFC 4862 §5.4.3: the kernel tests an address of ours, and we say that it is taken.
    run(['ip', '-6', 'addr', 'add', `${ours}/64`, 'dev', TAP]);
    await settled(() => /dadfailed/.test(run(['ip', '-6', 'addr', 'show', 'dev', TAP])));
    run(['ip', '-6', 'addr', 'del', `${ours}/64`, 'dev', TAP]);
  } finally {
    await stop(server);
  }
  const twin = await start(
    [...CLI, 'serve', site, '--tap', TAP, '--address', `${OURS}/24,${kernel}/64`],
    /is ours no more/,
  );
  assert.match(run(['ping', '-c', '1', OURS]), /1 received/, 'the other address is still ours');
  await stop(twin);
  const story = await getFromNginx('/', [], `[${kernel}]`, `${ours}/64`);
  assert.match(story, /HTTP\/1\.1 200 OK/);
  assert.match(story, /dot\.svg\s+200/);
});

test('netarium serve: 100 MB to curl, whole', { skip }, async () => {
  assert.equal(await serving(['--quiet'], download), checksum);
});

test('netarium serve --offload: 64 KB at once to the kernel, and its own to us', { skip }, async () => {
  assert.equal(await serving(['--quiet', '--offload'], download), checksum);
  await serving(['--offload'], () => {
    assert.match(run(['ping', '-c', '1', '-s', '8000', OURS]), /1 received/);
    assert.match(run(['curl', '-sS', '-i', `http://${OURS}/`]), /200 OK[\s\S]*Through the glass/);
  });
  await getFromNginx('/page.html', ['--offload']);
  assert.equal(savedChecksum(), checksum);
  const lossy = ['--quiet', '--offload', '--loss', '0.1%', '--delay', '1ms'];
  assert.equal(await serving(lossy, download), checksum, 'a bad path cuts what the kernel hands over');
});

test('netarium serve over a path that loses, delays and reorders: 100 MB to curl, whole', { skip }, async () => {
  assert.equal(await serving(['--quiet', '--loss', '0.1%', '--delay', '1ms', '--reorder', '0.5%'], download), checksum);
});

test('netarium get: a page of a real nginx', { skip }, async () => {
  const story = await getFromNginx('/', []);
  assert.match(story, /HTTP\/1\.1 200 OK/);
  assert.match(story, /SYN_SENT[\s\S]*ESTABLISHED[\s\S]*FIN_WAIT_1[\s\S]*TIME_WAIT/);
  assert.match(story, /dot\.svg\s+200/);
});

test('netarium get: 100 MB from nginx, whole', { skip }, async () => {
  await getFromNginx('/page.html', []);
  assert.equal(savedChecksum(), checksum);
});

test('netarium get over a path that loses, delays and reorders: 100 MB from nginx, whole', { skip }, async () => {
  await getFromNginx('/page.html', ['--loss', '0.1%', '--delay', '1ms', '--reorder', '0.5%']);
  assert.equal(savedChecksum(), checksum);
});

test("a bad path of the kernel's making: nft loses frames both ways, a tbf queue delays them", { skip }, async () => {
  const lose = 'numgen random mod 1000 < 2 counter drop';
  const chain = (hook: string): string =>
    `add chain netdev bad ${hook} { type filter hook ${hook} device ${TAP} priority 0; }; add rule netdev bad ${hook} ${lose}`;
  run(['nft', `add table netdev bad; ${chain('ingress')}; ${chain('egress')}`]);
  run(['tc', 'qdisc', 'add', 'dev', TAP, 'root', 'tbf', 'rate', '400mbit', 'burst', '64k', 'latency', '20ms']);
  assert.equal(await serving(['--quiet'], download), checksum);
  await getFromNginx('/page.html', []);
  assert.equal(savedChecksum(), checksum);
  const dropped = [...run(['nft', 'list', 'table', 'netdev', 'bad']).matchAll(/counter packets (\d+)/g)].map(match =>
    Number(match[1]),
  );
  assert.ok(dropped.length === 2 && dropped.every(count => count > 10), `${dropped}`);
  run(['tc', 'qdisc', 'del', 'dev', TAP, 'root']);
  run(['nft', 'delete table netdev bad']);
});

test("the same with the kernel's own tc netem, where it has that", { skip }, async t => {
  const netem = ['tc', 'qdisc', 'add', 'dev', TAP, 'root', 'netem', 'delay', '2ms', 'loss', '0.2%', 'reorder', '1%'];
  if (spawnSync('ip', inside(netem)).status !== 0) {
    t.diagnostic('this kernel has no sch_netem: the bad paths above are made by our own faults on the TAP link');
    return;
  }
  assert.equal(await serving(['--quiet'], download), checksum);
  await getFromNginx('/page.html', []);
  assert.equal(savedChecksum(), checksum);
  run(['tc', 'qdisc', 'del', 'dev', TAP, 'root']);
});

test('what goes wrong on the real network is one line', { skip }, () => {
  const fails = (...args: string[]): string => {
    const result = spawnSync('ip', inside([...CLI, 'get', ...args, '--tap', TAP, '--address', `${OURS}/24`]));
    assert.equal(result.status, 1, result.stdout.toString());
    return result.stderr.toString().trim();
  };
  assert.match(
    fails(`http://${KERNEL}:81/`),
    /^netarium: CONNECT: 10\.77\.0\.1:81 refuses the connection \(a RST answered the SYN\)$/,
  );
  assert.match(fails('http://192.0.2.1/'), /^netarium: ROUTE: 192\.0\.2\.1:80 can't be reached \(no-route\)$/);
  assert.match(
    fails('http://no.such.test/'),
    /^netarium: NAME: no\.such\.test could not be looked up: no name server is configured$/,
  );
});

test('both versions at once, in a network namespace that /sys does not show', { skip }, () => {
  const serve = `${CLI.join(' ')} serve ${site} --tap tap1 --address 10.78.0.2/24,fd78::2/64 --quiet`;
  const script = `
    ${serve} & server=$!
    for i in $(seq 100); do ip link show tap1 >/dev/null 2>&1 && break; sleep 0.1; done
    ip addr add 10.78.0.1/24 dev tap1
    ip -6 addr add fd78::1/64 dev tap1 nodad
    for host in 10.78.0.2 [fd78::2]; do
      curl -sS -g -o /dev/null -w '%{http_code} ' --retry 20 --retry-all-errors --retry-delay 1 --max-time 20 http://$host/
    done
    kill $server; wait $server`;
  const result = spawnSync('unshare', ['--net', 'sh', '-c', script], { timeout: 60_000 });
  assert.match(result.stdout.toString(), /200 200 $/, result.stderr.toString());
});

test('where the event loop can not wake us, a worker thread does', { skip }, async () => {
  const child = await start(
    [process.execPath, '--import', 'tsx', 'test/interop/worker-host.ts', TAP, `${OURS}/24`],
    /ready/,
  );
  assert.match(run(['ping', '-c', '3', '-i', '0.2', OURS]), /3 received/);
  await stop(child);
});

test('what was sent in the turn in which the program ends is sent all the same', { skip }, () => {
  const received = (): number => Number(run(['cat', `/sys/class/net/${TAP}/statistics/rx_packets`]));
  const before = received();
  run([process.execPath, '--import', 'tsx', 'test/interop/last-frame.ts', TAP]);
  assert.equal(received() - before, 3);
});

test('many links in one process are no mistake', { skip }, () => {
  const program = [process.execPath, '--import', 'tsx', 'test/interop/many-links.ts'];
  const { stdout, stderr } = spawnSync('ip', inside(program), { encoding: 'utf8', timeout: 60_000 });
  assert.equal(stderr, '');
  assert.match(stdout, /^0 more/);
});
