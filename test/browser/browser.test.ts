import assert from 'node:assert/strict';
import { test } from 'node:test';
import { urlsInCss } from '../../src/application/browser/css.ts';
import { parsePage } from '../../src/application/browser/html.ts';
import { memoryFiles } from '../../src/sim/files.ts';
import { loadJourney } from '../lib/journey.ts';

const BASE = new URL('http://a.test/dir/page.html');
const found = (html: string): string[] => parsePage(html, BASE).references.map(r => `${r.kind} ${r.url.href}`);

test('what a page needs: style sheets, scripts, images, icons, style attributes', () => {
  const html = `<title> A
     title </title><link rel="stylesheet" href=s.css><link rel="alternate stylesheet" href=no.css><link rel=icon href=/i.png>
    <link rel=preload as=font href=f.woff2><script src=x.js></script><script>no</script><img src=1.png><img srcset="2.png 1x, 3.png 2x">
    <input type=image src=4.png><video poster=5.png></video><p style="background: url('6.png')"><style>@import "t.css"; b { background: url(7.png) }</style>
    <svg><image href="8.png"/></svg><template><img src=inert.png></template><img src="data:image/png;base64,AA"><img src="https://b.test/tls.png"><img src="http://[bad/">`;
  const page = parsePage(html, BASE);
  assert.equal(page.title, 'A title');
  const names = page.references.map(r => `${r.kind} ${r.url.pathname.replace('/dir/', '')}`);
  assert.deepEqual(names.sort(), [
    'font f.woff2',
    'image /i.png',
    'image 1.png',
    'image 2.png',
    'image 4.png',
    'image 5.png',
    'image 6.png',
    'image 7.png',
    'image 8.png',
    'script x.js',
    'style s.css',
    'style t.css',
  ]);
});

test('HTML Living Standard §4.2.3: a base element moves the page', () => {
  assert.deepEqual(found('<base href="http://b.test/x/"><img src=i.png>'), ['image http://b.test/x/i.png']);
  assert.deepEqual(found('<base target=_top><base href="/y/"><img src=i.png#part>'), ['image http://a.test/y/i.png']);
});

test('CSS Syntax: url() in all its forms, @import, fonts; not in comments and strings', () => {
  const css = `@import url(a.css) screen; @import 'b.css'; /* url(no.png) */ p { content: "url(no.png)"; background: url( "c.png" ), URL(d\\.png); }
    @font-face { src: url(e.woff2) } i { mask: url(#inside) } b { background: url(f.png`;
  assert.deepEqual(
    urlsInCss(css).map(u => `${u.kind} ${u.url}`),
    ['style a.css', 'style b.css', 'image c.png', 'image d.png', 'font e.woff2', 'image f.png'],
  );
});

test('a page, its style sheets and what they need, over two hosts and at most six connections each', async () => {
  const { page, journey } = await loadJourney('http://www.example.test/');
  assert.deepEqual(page.resources.map(r => `${r.status} ${r.url}`).sort(), [
    '200 http://img.example.test/icon.png',
    '200 http://img.example.test/map.png',
    '200 http://img.example.test/paper.png',
    '200 http://img.example.test/photo.png',
    '200 http://www.example.test/',
    '200 http://www.example.test/app.js',
    '200 http://www.example.test/fonts.css',
    '200 http://www.example.test/logo.svg',
    '200 http://www.example.test/style.css',
  ]);
  assert.equal(journey.connections.length, 7);
  assert.equal(journey.summary.retransmissions, 0);
  const png = page.resources.find(r => r.url.endsWith('map.png'))?.body;
  assert.deepEqual([...(png ?? []).slice(0, 8)], [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
});

test('a resource that fails does not fail the page; a loop of style sheets ends', async () => {
  const site = memoryFiles({
    '/index.html': '<link rel=stylesheet href=a.css><img src=none.png><img src="http://nope.example.test/x.png">',
    '/a.css': '@import "b.css";',
    '/b.css': '@import "a.css"; body { background: url(bg.png) }',
    '/bg.png': 'x',
  });
  const { page } = await loadJourney('http://shop.test/', { sites: new Map([['shop.test', site]]) });
  assert.deepEqual(
    page.resources.map(r => r.status),
    [200, 200, 404, undefined, 200, 200],
  );
  assert.match(page.resources[3].error?.message ?? '', /nope\.example\.test does not exist/);
});

test('one page with a hundred pictures', async () => {
  const names = Array.from({ length: 100 }, (_, n) => `${n}.svg`);
  const files = Object.fromEntries(names.map(name => [`/${name}`, `<svg>${name}</svg>`]));
  const site = memoryFiles({ ...files, '/index.html': names.map(name => `<img src="${name}">`).join('\n') });
  const { page, journey } = await loadJourney('http://many.test/', { sites: new Map([['many.test', site]]) });
  assert.equal(page.resources.filter(r => r.status === 200).length, 101);
  assert.equal(journey.connections.length, 6);
});
