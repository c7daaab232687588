/**
 * A browser without scripts and without a screen: it loads a page with all that the page needs, in parallel, six
 * connections an origin, and remembers what it got and when.
 */
import type { Instant } from '../../base/instant.ts';
import type { Network } from '../../socket/types.ts';
import type { BrowserEvent, Context } from '../../trace/events.ts';
import type { DomainName } from '../../wire/dns-types.ts';
import { DnsCache } from '../dns/cache.ts';
import { lookUp } from '../dns/forwarder.ts';
import { AddressLookup } from '../dns/lookup.ts';
import type { Answer, Resolver } from '../dns/types.ts';
import { UnderWay } from '../dns/under-way.ts';
import { HttpClient, type HttpClientOptions, type HttpRequest, parseHttpUrl } from '../http1/client.ts';
import { Headers } from '../http1/headers.ts';
import { urlsInCss } from './css.ts';
import { parsePage, type Reference, type ResourceKind, resolve } from './html.ts';

export interface Resource {
  url: string;
  /** Where it came from after redirects. */
  finalUrl: string;
  kind: ResourceKind;
  /** The URL that led to it; undefined for the page itself. */
  initiator: string | undefined;
  startedAt: Instant;
  endedAt: Instant;
  status: number | undefined;
  type: string | undefined;
  /** As it came over the wire, coded, and as it is. */
  transferred: number;
  body: Uint8Array;
  error: Error | undefined;
}

export interface Page {
  url: string;
  title: string;
  /** The page itself first, the others in the order in which they were found. */
  resources: Resource[];
  startedAt: Instant;
  loadedAt: Instant;
}

/** A page of more than this is cut off: a loop of style sheets that import each other has an end. */
const MAX_RESOURCES = 500;
const ACCEPT: Record<ResourceKind, string> = {
  document: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
  style: 'text/css,*/*;q=0.1',
  script: '*/*',
  image: 'image/*,*/*;q=0.8',
  font: '*/*',
  other: '*/*',
};

export class Browser {
  readonly cache: DnsCache;
  readonly client: HttpClient;
  private readonly context: Context;

  constructor(context: Context, network: Network, resolver: Resolver, options: HttpClientOptions = {}) {
    this.context = context;
    this.cache = new DnsCache('browser cache', context.scheduler);
    const names = new AddressLookup(new CachedResolver(context, this.cache, resolver));
    this.client = new HttpClient(context, network, names, {
      userAgent: 'netarium/0.1 (a browser in a glass box)',
      ...options,
    });
  }

  /**
   * Rejects when the page itself does not arrive; a resource that fails is listed with its error. `request` may carry
   * another method, headers and a body for the page.
   */
  async load(address: string, request: Partial<HttpRequest> = {}): Promise<Page> {
    const loading = new PageLoad(this.context, this.client);
    return loading.run(parseHttpUrl(address), request);
  }

  /** Closes the connections that no request uses. */
  close(): void {
    this.client.pool.closeIdle();
  }
}

/** A cache in front of another resolver. */
class CachedResolver implements Resolver {
  private readonly context: Context;
  private readonly cache: DnsCache;
  private readonly inner: Resolver;
  private readonly underWay = new UnderWay();

  constructor(context: Context, cache: DnsCache, inner: Resolver) {
    this.context = context;
    this.cache = cache;
    this.inner = inner;
  }

  resolve(name: DomainName, type: number): Promise<Answer> {
    return this.underWay.share(name, type, async () => {
      const found = lookUp(this.context, this.cache, name, type);
      if (found !== undefined) return found;
      const answer = await this.inner.resolve(name, type);
      this.cache.put(name, type, answer);
      return answer;
    });
  }
}

class PageLoad {
  private readonly context: Context;
  private readonly client: HttpClient;
  private readonly seen = new Set<string>();
  private readonly resources: Resource[] = [];
  private readonly pending: Promise<void>[] = [];

  constructor(context: Context, client: HttpClient) {
    this.context = context;
    this.client = client;
  }

  async run(url: URL, request: Partial<HttpRequest>): Promise<Page> {
    const startedAt = this.context.scheduler.now();
    this.note('navigate', url.href);
    const page = this.begin({ url, kind: 'document' }, undefined);
    await this.fetch(page, url, request);
    if (page.error !== undefined) {
      this.note('failed', url.href, page.error.message);
      throw page.error;
    }
    const title = this.readPage(page);
    // What is found while others load joins the list.
    for (let n = 0; n < this.pending.length; n++) await this.pending[n];
    const loadedAt = this.context.scheduler.now();
    this.note('loaded', page.finalUrl, `${this.resources.length} resources`);
    return { url: url.href, title, resources: this.resources, startedAt, loadedAt };
  }

  private readPage(page: Resource): string {
    if (!/^(text\/html|application\/xhtml\+xml)\b/i.test(page.type ?? 'text/html')) return '';
    const parsed = parsePage(new TextDecoder().decode(page.body), new URL(page.finalUrl));
    for (const reference of parsed.references) this.want(reference, page.finalUrl);
    return parsed.title;
  }

  private want(reference: Reference, initiator: string): void {
    const key = reference.url.href;
    if (this.seen.has(key) || this.resources.length >= MAX_RESOURCES) return;
    const resource = this.begin(reference, initiator);
    this.note('found', key, `by ${initiator}`);
    this.pending.push(this.fetch(resource, reference.url, {}).then(() => this.readStyle(resource)));
  }

  private readStyle(resource: Resource): void {
    if (resource.kind !== 'style' || resource.error !== undefined || resource.status !== 200) return;
    for (const { url, kind } of urlsInCss(new TextDecoder().decode(resource.body))) {
      const target = resolve(url, new URL(resource.finalUrl));
      if (target !== undefined) this.want({ url: target, kind }, resource.finalUrl);
    }
  }

  private begin({ url, kind }: Reference, initiator: string | undefined): Resource {
    this.seen.add(url.href);
    const now = this.context.scheduler.now();
    const resource: Resource = {
      url: url.href,
      finalUrl: url.href,
      kind,
      initiator,
      startedAt: now,
      endedAt: now,
      status: undefined,
      type: undefined,
      transferred: 0,
      body: new Uint8Array(0),
      error: undefined,
    };
    this.resources.push(resource);
    return resource;
  }

  private async fetch(resource: Resource, url: URL, request: Partial<HttpRequest>): Promise<void> {
    const headers = new Headers(request.headers ?? []);
    if (!headers.has('Accept')) headers.set('Accept', ACCEPT[resource.kind]);
    if (resource.initiator !== undefined) headers.set('Referer', refererFor(resource.initiator, url));
    try {
      const response = await this.client.request({ ...request, url, headers });
      for (const hop of response.redirects) this.note('redirect', hop.url.href, String(hop.status));
      resource.finalUrl = response.url.href;
      resource.status = response.status;
      resource.type = response.headers.get('Content-Type');
      resource.body = await response.bytes();
      resource.transferred = response.body.received;
    } catch (error) {
      resource.error = error instanceof Error ? error : new Error(String(error));
    }
    resource.endedAt = this.context.scheduler.now();
  }

  private note(action: BrowserEvent['action'], url: string, detail?: string): void {
    const { trace, host, scheduler } = this.context;
    trace?.({ kind: 'browser', time: scheduler.now(), host, action, url, detail });
  }
}

/** Referrer Policy's default, strict-origin-when-cross-origin: other origins learn the origin alone. */
function refererFor(initiator: string, target: URL): string {
  const from = new URL(initiator);
  from.username = '';
  from.password = '';
  from.hash = '';
  return from.origin === target.origin ? from.href : `${from.origin}/`;
}
