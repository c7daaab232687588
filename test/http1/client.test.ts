import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basicAuthorization, basicRealm, parseBasicAuthorization } from '../../src/application/http1/auth.ts';
import type { HttpRequest, HttpResponse } from '../../src/application/http1/client.ts';
import { HttpClient } from '../../src/application/http1/client.ts';
import { chooseCoding } from '../../src/application/http1/codings.ts';
import { httpDate, parseHttpDate } from '../../src/application/http1/date.ts';
import { HttpError } from '../../src/application/http1/errors.ts';
import { Headers } from '../../src/application/http1/headers.ts';
import { parseRange } from '../../src/application/http1/range.ts';
import type { RequestHandler, ServerResponse } from '../../src/application/http1/server.ts';
import { safePath, staticFiles } from '../../src/application/http1/static.ts';
import { concat, fromLatin1 } from '../../src/base/bytes.ts';
import { ms, seconds } from '../../src/base/instant.ts';
import { zlibCodings } from '../../src/node/zlib.ts';
import { memoryFiles } from '../../src/sim/files.ts';
import { HttpWorld } from '../lib/http.ts';
import { TestWorld } from '../lib/world.ts';

async function fetchFrom(
  handler: RequestHandler,
  request: Partial<HttpRequest> = {},
): Promise<{ response: HttpResponse; text: string; world: HttpWorld }> {
  const world = new HttpWorld(handler);
  const response = await world.clock.until(world.client.request({ url: 'http://h/', ...request }));
  const text = new TextDecoder().decode(await world.clock.until(response.bytes()));
  return { response, text, world };
}

/** A server that answers with these bytes, whatever is asked, and then closes. */
async function fetchRaw(answer: string, request: Partial<HttpRequest> = {}, close = true): Promise<string> {
  const world = new TestWorld();
  const { a, b } = world.pair();
  b.network.listen({ port: 80 }, socket => ({
    data: () => {
      socket.write(fromLatin1(answer));
      if (close) socket.end();
    },
    end: () => socket.end(),
    error() {},
    closed() {},
  }));
  const client = new HttpClient(a.context, a.network, { lookup: async () => ['10.0.0.2'] }, { codings: zlibCodings });
  const whole = client
    .request({ url: 'http://h/', ...request })
    .then(async r => `${r.status} ${new TextDecoder().decode(await r.bytes())}`);
  return world.clock.until(whole);
}

test('RFC 9112 §6.3: bodies by length, by chunks, by the end of the connection', async () => {
  assert.equal(await fetchRaw('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'), '200 hello');
  assert.equal(
    await fetchRaw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'),
    '200 hello',
  );
  assert.equal(await fetchRaw('HTTP/1.1 200 OK\r\n\r\nhello'), '200 hello');
  assert.equal(await fetchRaw('HTTP/1.1 204 No Content\r\n\r\n'), '204 ');
  assert.equal(await fetchRaw('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { method: 'HEAD' }), '200 ');
  assert.equal(
    await fetchRaw('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'),
    '200 hi',
  );
});

test('a broken answer is an HttpError of the remote side', async () => {
  const broken = [
    'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 100 Continue\r\n\r\n'.repeat(30),
    '',
  ];
  for (const answer of broken) {
    const error = await fetchRaw(answer).then(
      text => assert.fail(`${JSON.stringify(answer)} gave ${text}`),
      e => e,
    );
    assert.ok(error instanceof HttpError && error.side === 'remote', `${JSON.stringify(answer)}: ${error}`);
  }
});

test('RFC 9112 §6.3: bytes behind a response are not the answer to the next request', async () => {
  const world = new TestWorld();
  const { a, b } = world.pair();
  b.network.listen({ port: 80 }, socket => ({
    data: () =>
      void socket.write(
        fromLatin1('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'),
      ),
    end: () => socket.end(),
    error() {},
    closed() {},
  }));
  const client = new HttpClient(a.context, a.network, { lookup: async () => ['10.0.0.2'] });
  for (let n = 0; n < 3; n++) {
    const response = await world.clock.until(client.request({ url: 'http://h/' }));
    assert.equal(new TextDecoder().decode(await world.clock.until(response.bytes())), 'ok');
  }
  assert.equal(world.events('state', 'a').filter(e => e.to === 'SYN_SENT').length, 3, 'a connection each');
});

test('RFC 9110 §15.4: redirects, their methods, and their end', async () => {
  const handler: RequestHandler = async request => {
    const to = (status: number, location: string): ServerResponse => ({
      status,
      headers: new Headers({ Location: location }),
    });
    const body = new TextDecoder().decode(await request.body.bytes());
    if (request.path === '/301') return to(301, '/end');
    if (request.path === '/303') return to(303, '/end');
    if (request.path === '/307') return to(307, 'end?x');
    if (request.path === '/loop') return to(302, '/loop');
    return { status: 200, body: `${request.method} ${request.target} ${body}` };
  };
  assert.equal((await fetchFrom(handler, { url: 'http://h/301' })).text, 'GET /end ');
  assert.equal((await fetchFrom(handler, { url: 'http://h/301', method: 'POST', body: 'b' })).text, 'GET /end ');
  assert.equal((await fetchFrom(handler, { url: 'http://h/303', method: 'PUT', body: 'b' })).text, 'GET /end ');
  assert.equal((await fetchFrom(handler, { url: 'http://h/307', method: 'POST', body: 'b' })).text, 'POST /end?x b');
  assert.equal((await fetchFrom(handler, { url: 'http://h/301', redirect: 'manual' })).response.status, 301);
  await assert.rejects(fetchFrom(handler, { url: 'http://h/loop' }), /redirects more than 20 times/);
});

test('RFC 9110 §15.4: credentials are not carried to another origin', async () => {
  const seen: (string | undefined)[] = [];
  const handler: RequestHandler = request => {
    seen.push(request.headers.get('Authorization'));
    return request.host === 'one'
      ? { status: 302, headers: new Headers({ Location: 'http://two/' }) }
      : { status: 200 };
  };
  await fetchFrom(handler, { url: 'http://one/', headers: new Headers({ Authorization: 'Basic abc' }) });
  assert.deepEqual(seen, ['Basic abc', undefined]);
});

test('RFC 7617: Basic authentication, asked for and given', async () => {
  const handler: RequestHandler = request => {
    const given = parseBasicAuthorization(request.headers.get('Authorization') ?? '');
    if (given?.user === 'Aladdin' && given.password === 'open sesame') return { status: 200, body: 'in' };
    return { status: 401, headers: new Headers({ 'WWW-Authenticate': 'Digest realm="x", Basic realm="a \\"b\\""' }) };
  };
  assert.equal((await fetchFrom(handler, { url: 'http://Aladdin:open%20sesame@h/' })).text, 'in');
  assert.equal((await fetchFrom(handler, { url: 'http://h/' })).response.status, 401);
  assert.equal((await fetchFrom(handler, { url: 'http://x:y@h/' })).response.status, 401);
  assert.equal(basicAuthorization({ user: 'Aladdin', password: 'open sesame' }), 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==');
  assert.equal(basicRealm('Digest realm="x", Basic realm="a \\"b\\""'), 'a "b"');
  assert.equal(parseBasicAuthorization('Basic !!!'), undefined);
});

test('connections are kept, at most six an origin, and the rest waits', async () => {
  const world = new HttpWorld(() => ({ status: 200, body: 'x' }));
  const all = Promise.all(
    Array.from({ length: 20 }, async () => (await world.client.request({ url: 'http://h/' })).bytes()),
  );
  await world.clock.until(all);
  assert.equal(world.events('state', 'a').filter(e => e.to === 'SYN_SENT').length, 6);
  assert.equal(world.client.pool.openConnections, 6);
  await world.clock.run(() => false, world.clock.now() + seconds(11));
  assert.equal(world.client.pool.openConnections, 0, 'idle ones end');
});

test('RFC 9112 §9.3.1: a kept connection that the server has closed is replaced, for idempotent methods', async () => {
  let served = 0;
  const world = new TestWorld();
  const { a, b } = world.pair();
  // Answers one request a connection, says that it stays, and closes at the next.
  b.network.listen({ port: 80 }, socket => {
    let first = true;
    return {
      data: () => {
        if (first) socket.write(fromLatin1(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${++served}`));
        else socket.reset();
        first = false;
      },
      end: () => socket.end(),
      error() {},
      closed() {},
    };
  });
  const client = new HttpClient(a.context, a.network, { lookup: async () => ['10.0.0.2'] });
  const get = async (method: string): Promise<string> =>
    new TextDecoder().decode(await (await client.request({ url: 'http://h/', method })).bytes());
  assert.equal(await world.clock.until(get('GET')), '1');
  assert.equal(await world.clock.until(get('GET')), '2');
  await assert.rejects(world.clock.until(get('POST')), /ECONNRESET/);
});

test('100-continue from the client: the body waits for it', async () => {
  const world = new HttpWorld(async request => ({ status: 200, body: await request.body.bytes() }));
  const response = await world.clock.until(
    world.client.request({ url: 'http://h/', method: 'PUT', body: 'data', expectContinue: true }),
  );
  assert.equal(new TextDecoder().decode(await world.clock.until(response.bytes())), 'data');
});

test('large bodies both ways, with the windows in between', async () => {
  const world = new HttpWorld(async request => ({ status: 200, body: await request.body.bytes() }));
  const sent = world.random.bytes(3_000_000);
  const response = await world.clock.until(world.client.request({ url: 'http://h/', method: 'POST', body: sent }));
  assert.deepEqual(await world.clock.until(response.bytes()), sent);
});

test('a body that nobody reads stops the sender', async () => {
  let pulled = 0;
  const world = new HttpWorld(() => ({
    status: 200,
    body: { length: undefined, next: () => (++pulled > 10_000 ? undefined : new Uint8Array(10_000)) },
  }));
  const response = await world.clock.until(world.client.request({ url: 'http://h/' }));
  await world.clock.run(() => false, world.clock.now() + seconds(5));
  assert.ok(pulled < 400, `${pulled} pieces of 10,000 bytes were sent to nobody`);
  assert.equal((await world.clock.until(response.bytes())).length, 100_000_000);
});

test('a body that is too long ends the connection, it is not read to its end', async () => {
  let pulled = 0;
  const world = new HttpWorld(() => ({
    status: 200,
    body: { length: undefined, next: () => (++pulled > 100_000 ? undefined : new Uint8Array(10_000)) },
  }));
  const response = await world.clock.until(world.client.request({ url: 'http://h/' }));
  await assert.rejects(world.clock.until(response.bytes(50_000)), /a body over 50000 bytes/);
  await world.clock.run(() => false, world.clock.now() + seconds(5));
  assert.ok(pulled < 1000, `${pulled} pieces`);
  assert.equal(world.client.pool.openConnections, 0);
});

test('a request body that is too long is refused with 413, and not read to its end', async () => {
  const world = new HttpWorld(async request => ({ status: 200, body: await request.body.bytes(50_000) }));
  let pulled = 0;
  const body = { length: undefined, next: () => (++pulled > 100_000 ? undefined : new Uint8Array(10_000)) };
  const response = await world.clock.until(world.client.request({ url: 'http://h/', method: 'POST', body }));
  assert.equal(response.status, 413);
  await world.clock.run(() => false, world.clock.now() + seconds(10));
  assert.ok(pulled < 2000, `${pulled} pieces`);
  assert.equal(world.server.connectionCount, 0);
});

test('who waits for nothing is told so', async () => {
  const world = new HttpWorld(() => new Promise(() => {}));
  await assert.rejects(world.clock.until(world.client.request({ url: 'http://h/' })), { name: 'WorldAtRest' });
});

test('a response that does not come in time', async () => {
  const world = new HttpWorld(() => new Promise(() => {}));
  await assert.rejects(
    world.clock.until(world.client.request({ url: 'http://h/', timeout: seconds(3) })),
    /no response within 3 s/,
  );
});

const FILES = memoryFiles({
  '/index.html': '<h1>hi</h1>',
  '/a/index.html': 'a',
  '/text.txt': 'line of text\n'.repeat(100),
  '/bytes.bin': Uint8Array.from({ length: 100 }, (_, i) => i),
});
const files: RequestHandler = staticFiles({ files: FILES, date: () => 1_767_225_600_000, codings: zlibCodings });

test('static files: types, directories, 404, 405, no way out', async () => {
  const index = await fetchFrom(files, { url: 'http://h/' });
  assert.deepEqual(
    [index.text, index.response.headers.get('Content-Type')],
    ['<h1>hi</h1>', 'text/html; charset=utf-8'],
  );
  assert.equal(
    (await fetchFrom(files, { url: 'http://h/a', redirect: 'manual' })).response.headers.get('Location'),
    '/a/',
  );
  assert.equal((await fetchFrom(files, { url: 'http://h/a' })).text, 'a');
  assert.equal((await fetchFrom(files, { url: 'http://h/none' })).response.status, 404);
  const post = await fetchFrom(files, { url: 'http://h/', method: 'POST' });
  assert.deepEqual([post.response.status, post.response.headers.get('Allow')], [405, 'GET, HEAD']);
  for (const bad of ['/../x', '/%2e%2e/x', '/a/..', '/%00', '/%zz', '/a\\b', 'x'])
    assert.equal(safePath(bad), undefined, bad);
});

test('RFC 9110 §8.4: compression by what both have, tagged and varied', async () => {
  for (const [accepts, coding] of [
    ['gzip', 'gzip'],
    ['br;q=0.5, gzip', 'gzip'],
    ['*', 'br'],
    ['identity', undefined],
    ['gzip;q=0', undefined],
  ]) {
    const { response, text } = await fetchFrom(files, {
      url: 'http://h/text.txt',
      headers: new Headers({ 'Accept-Encoding': accepts as string }),
    });
    assert.equal(response.headers.get('Content-Encoding'), coding, accepts);
    assert.equal(text, 'line of text\n'.repeat(100));
    assert.equal(response.headers.get('Vary'), 'Accept-Encoding');
  }
  assert.equal(chooseCoding(['br', 'gzip'], undefined), undefined);
});

test('a compressed body is limited in what it unpacks to', async () => {
  const bomb = zlibCodings.encode('gzip', new Uint8Array(10_000_000));
  const world = new HttpWorld(() => ({
    status: 200,
    headers: new Headers({ 'Content-Encoding': 'gzip' }),
    body: bomb,
  }));
  const response = await world.clock.until(world.client.request({ url: 'http://h/' }));
  await assert.rejects(world.clock.until(response.bytes(1_000_000)), /gzip body is broken/);
});

test('RFC 9110 §13: conditions, in their order', async () => {
  const first = await fetchFrom(files, { url: 'http://h/bytes.bin' });
  const etag = first.response.headers.get('ETag') as string;
  const modified = first.response.headers.get('Last-Modified') as string;
  const statusWith = async (fields: Record<string, string>): Promise<number> =>
    (await fetchFrom(files, { url: 'http://h/bytes.bin', headers: new Headers(fields) })).response.status;
  assert.equal(await statusWith({ 'If-None-Match': etag }), 304);
  assert.equal(await statusWith({ 'If-None-Match': `"x", W/${etag}` }), 304);
  assert.equal(await statusWith({ 'If-None-Match': '*' }), 304);
  assert.equal(await statusWith({ 'If-None-Match': '"x"', 'If-Modified-Since': modified }), 200, 'the tag decides');
  assert.equal(await statusWith({ 'If-Modified-Since': modified }), 304);
  assert.equal(await statusWith({ 'If-Match': '"x"' }), 412);
  assert.equal(await statusWith({ 'If-Match': etag }), 200);
  assert.equal(await statusWith({ 'If-Unmodified-Since': 'Sat, 01 Jan 2000 00:00:00 GMT' }), 412);
});

test('RFC 9110 §14: ranges, one and many, and those that can not be had', async () => {
  const get = (range: string, more: Record<string, string> = {}) =>
    fetchFrom(files, { url: 'http://h/bytes.bin', headers: new Headers({ Range: range, ...more }) });
  const one = await get('bytes=10-19');
  assert.deepEqual(
    [one.response.status, one.response.headers.get('Content-Range'), one.text.length],
    [206, 'bytes 10-19/100', 10],
  );
  assert.equal((await get('bytes=-5')).response.headers.get('Content-Range'), 'bytes 95-99/100');
  assert.equal((await get('bytes=90-')).response.headers.get('Content-Range'), 'bytes 90-99/100');
  const none = await get('bytes=200-');
  assert.deepEqual([none.response.status, none.response.headers.get('Content-Range')], [416, 'bytes */100']);
  const many = await get('bytes=0-1,10-11');
  assert.match(many.response.headers.get('Content-Type') ?? '', /^multipart\/byteranges; boundary=/);
  assert.match(many.text, /Content-Range: bytes 0-1\/100\r\n\r\n..\r\n--[\s\S]*Content-Range: bytes 10-11\/100/);
  assert.equal((await get('bytes=0-1', { 'If-Range': '"old"' })).response.status, 200);
  assert.equal((await get('lines=0-1')).response.status, 200);
  assert.equal(parseRange('bytes=5-1', 100), undefined);
  assert.equal(parseRange(`bytes=${'0-1,'.repeat(50)}0-1`, 100), undefined);
});

test('RFC 9110 §5.6.7: dates in all three forms', () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);
  assert.equal(httpDate(time), 'Sun, 06 Nov 1994 08:49:37 GMT');
  const now = Date.UTC(2026, 0, 1);
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    assert.equal(parseHttpDate(text, now), time, text);
  }
  for (const bad of ['Sun, 06 Nov 1994 08:49:37', 'Sun, 31 Feb 1994 08:49:37 GMT', 'now', ''])
    assert.equal(parseHttpDate(bad, now), undefined, bad);
});

test('header fields: order, repetition, lists', () => {
  const headers = new Headers([
    ['A', '1'],
    ['b', 'x, Y ,,z'],
    ['a', '2'],
  ]);
  assert.equal(headers.get('a'), '1, 2');
  assert.deepEqual(headers.tokens('B'), ['x', 'y', 'z']);
  headers.set('A', '3');
  assert.deepEqual(
    [...headers],
    [
      ['b', 'x, Y ,,z'],
      ['A', '3'],
    ],
  );
  assert.ok(concat([new Uint8Array(1)]).length === 1);
});

test('a head and what is there of its body go in one segment; a body that is still awaited does not hold the head back', async () => {
  const late = new Uint8Array(10).fill(120);
  const world: HttpWorld = new HttpWorld(request => {
    if (request.path === '/at-once') return { status: 200, body: 'hello' };
    let given = false;
    const next = (): Promise<Uint8Array | undefined> =>
      new Promise(resolve => {
        world.clock.at(world.clock.now() + ms(50), () => {
          world.clock.touched();
          resolve(given ? undefined : late);
          given = true;
        });
      });
    return { status: 200, body: { length: undefined, next } };
  });
  const segments = async (path: string): Promise<number[]> => {
    const before = world.recorder.events.length;
    const load = world.client.request({ url: `http://h${path}` }).then(response => response.bytes());
    await world.clock.until(load);
    const sent = world.recorder.events.slice(before).filter(e => e.kind === 'segment' && e.host === 'b');
    return sent.flatMap(e => (e.kind === 'segment' && e.direction === 'out' && e.length > 0 ? [e.length] : []));
  };
  const [whole, ...more] = await segments('/at-once');
  assert.ok(whole > 50, 'the head is longer than that');
  assert.deepEqual(more, []);
  // The head, a chunk with its size in front and its CRLF behind, and the last chunk.
  const [, ...chunks] = await segments('/late');
  assert.deepEqual(chunks, ['a\r\n'.length + 10 + 2, '0\r\n\r\n'.length]);
});
