/** The site www.example.test, and its images on img.example.test: something of everything that a web server can do. */

import { parseBasicAuthorization } from '../../application/http1/auth.ts';
import type { ContentCodings } from '../../application/http1/codings.ts';
import { Headers } from '../../application/http1/headers.ts';
import type { RequestHandler, ServerRequest, ServerResponse } from '../../application/http1/server.ts';
import { errorResponse } from '../../application/http1/server-connection.ts';
import { staticFiles } from '../../application/http1/static.ts';
import { utf8 } from '../../base/bytes.ts';
import { seconds } from '../../base/instant.ts';
import { seededRandom } from '../../base/random.ts';
import { type Scheduler, sleep } from '../../base/scheduler.ts';
import { memoryFiles } from '../files.ts';
import { png } from './png.ts';

/** Of the page behind Basic authentication. */
export const SECRET = { user: 'alice', password: 'wonderland' };
export const DOWNLOAD_BYTES = 1_000_000;

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="http://img.example.test/icon.png">
</head>
<body>
<nav><a href="/">Home</a> <a href="/about.html">About</a> <a href="/book.txt">A book</a></nav>
<main>
${body}
</main>
</body>
</html>
`;

const HOME = page(
  'Example: a small real site',
  `<h1>Example</h1>
<p>This page came to you through a home router, a provider, a backbone and a data centre, none of which exist.</p>
<img src="http://img.example.test/map.png" alt="A map" width="96" height="64">
<img src="http://img.example.test/photo.png" alt="A photograph" width="160" height="120">
<img src="/logo.svg" alt="The logo">
<ul>
<li><a href="/old">a page that has moved</a> (301)</li>
<li><a href="/private/">a page for some</a> (401, then 200 for ${SECRET.user}:${SECRET.password})</li>
<li><a href="/cached.png">a picture to keep</a> (Cache-Control, ETag)</li>
<li><a href="/book.txt">a long text</a> (compressed)</li>
<li><a href="/download.bin">a large file</a> (${DOWNLOAD_BYTES} bytes)</li>
<li><a href="/slow">a slow answer</a> (3 seconds)</li>
<li><a href="/missing">nothing</a> (404) and <a href="/broken">worse</a> (500)</li>
</ul>
<form method="post" action="/echo"><input name="q"><button>Send</button></form>
<script src="/app.js"></script>`,
);

const ABOUT = page(
  'About',
  '<h1>About</h1>\n<p>Every byte of this site is made by the program that shows it to you.</p>',
);
const PRIVATE = page(
  'Private',
  `<h1>Welcome, ${SECRET.user}</h1>\n<p>Basic authentication hides nothing from the network in between.</p>`,
);

const STYLE = `@import url("/fonts.css");
body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 40rem; background: url(http://img.example.test/paper.png); }
nav a { margin-right: 1em; }
h1 { color: #14532d; }
`;
const FONTS = 'h1 { letter-spacing: 0.02em; }\nh1::after { content: url("/logo.svg"); }\n';
const SCRIPT = "console.log('no scripts run here, but they are fetched');\n";
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"><circle cx="24" cy="24" r="20" fill="#14532d"/></svg>\n';
const SENTENCE =
  'It was a bright cold day in the sealed internet, and the clocks were striking in integer nanoseconds. ';
const BOOK = Array.from({ length: 300 }, (_, n) => `${n + 1}. ${SENTENCE}\n`).join('');

export interface SiteOptions {
  scheduler: Scheduler;
  date: () => number;
  codings?: ContentCodings;
}

/** www.example.test */
export function exampleSite(options: SiteOptions): RequestHandler {
  const files = memoryFiles({
    '/index.html': HOME,
    '/about.html': ABOUT,
    '/private/index.html': PRIVATE,
    '/style.css': STYLE,
    '/fonts.css': FONTS,
    '/app.js': SCRIPT,
    '/logo.svg': LOGO,
    '/book.txt': BOOK,
    '/cached.png': png(32, 32, (x, y) => [x * 8, y * 8, 128]),
    '/download.bin': seededRandom('download').bytes(DOWNLOAD_BYTES),
  });
  const cacheControl = (path: string): string =>
    path === '/cached.png' ? 'public, max-age=3600, immutable' : 'no-cache';
  const serve = staticFiles({ ...options, files, cacheControl });
  return request => {
    const special = SPECIAL[request.path];
    if (special !== undefined) return special(request, options);
    if (request.path.startsWith('/private/') && !isAllowed(request)) return askForPassword();
    return serve(request);
  };
}

/** img.example.test */
export function exampleImages(options: SiteOptions): RequestHandler {
  const files = memoryFiles({
    '/icon.png': png(16, 16, (x, y) => ((x ^ y) & 4 ? [20, 83, 45] : [240, 253, 244])),
    '/map.png': png(96, 64, (x, y) => [(x * 2) & 255, (y * 4) & 255, (x * y) & 255]),
    '/photo.png': png(160, 120, (x, y) => [255 - x, 255 - y * 2, (x + y) & 255]),
    '/paper.png': png(24, 24, (x, y) => ((x + y) % 8 ? [255, 255, 250] : [245, 245, 240])),
  });
  return staticFiles({ ...options, files, cacheControl: () => 'public, max-age=86400' });
}

type Special = (request: ServerRequest, options: SiteOptions) => ServerResponse | Promise<ServerResponse>;

const SPECIAL: Record<string, Special> = {
  '/old': () => redirect(301, '/about.html'),
  '/circle': () => redirect(302, '/circle'),
  '/broken': () => errorResponse(500, 'this page is broken on purpose'),
  '/slow': async (_request, { scheduler }) => {
    await sleep(scheduler, seconds(3));
    return text('That took three seconds.\n');
  },
  '/echo': async request => {
    const body = await request.body.bytes(1 << 20);
    return text(`${request.method} ${request.target}, ${body.length} bytes\n${new TextDecoder().decode(body)}\n`);
  },
};

const text = (body: string): ServerResponse => ({
  status: 200,
  headers: new Headers({ 'Content-Type': 'text/plain; charset=utf-8' }),
  body: utf8(body),
});

function redirect(status: number, location: string): ServerResponse {
  const answer = errorResponse(status, `it is at ${location}`);
  answer.headers?.set('Location', location);
  return answer;
}

function isAllowed(request: ServerRequest): boolean {
  const given = parseBasicAuthorization(request.headers.get('Authorization') ?? '');
  return given?.user === SECRET.user && given.password === SECRET.password;
}

function askForPassword(): ServerResponse {
  const answer = errorResponse(401, 'this page is for some');
  answer.headers?.set('WWW-Authenticate', 'Basic realm="Private pages", charset="UTF-8"');
  return answer;
}
