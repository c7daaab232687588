/** What a page needs besides itself: the URLs that a browser without scripts would fetch (HTML Living Standard). */
import { type DefaultTreeAdapterTypes, parse, defaultTreeAdapter as tree } from 'parse5';
import { urlsInCss } from './css.ts';

export type ResourceKind = 'document' | 'style' | 'script' | 'image' | 'font' | 'other';

export interface Reference {
  url: URL;
  kind: ResourceKind;
}

export interface ParsedPage {
  title: string;
  references: Reference[];
}

type Element = DefaultTreeAdapterTypes.Element;
type Node = DefaultTreeAdapterTypes.Node;

/** Never throws: HTML has no errors that stop a parser. References that are no http: URL are left out. */
export function parsePage(html: string, pageUrl: URL): ParsedPage {
  const document = parse(html);
  const elements = [...elementsOf(document)];
  const base = baseOf(elements, pageUrl);
  const references: Reference[] = [];
  const add = (text: string | undefined, kind: ResourceKind): void => {
    const url = text === undefined ? undefined : resolve(text, base);
    if (url !== undefined) references.push({ url, kind });
  };
  for (const element of elements) {
    for (const [text, kind] of referencesOf(element)) add(text, kind);
    const style = attribute(element, 'style');
    if (style !== undefined) for (const found of urlsInCss(style)) add(found.url, found.kind);
    if (element.tagName === 'style') for (const found of urlsInCss(textOf(element))) add(found.url, found.kind);
  }
  const title = elements.find(element => element.tagName === 'title');
  return { title: title === undefined ? '' : textOf(title).trim().replace(/\s+/g, ' '), references };
}

/** http: alone, without its fragment; undefined for everything else (data:, javascript:, what is no URL). */
export function resolve(text: string, base: URL): URL | undefined {
  try {
    const url = new URL(text.trim(), base);
    url.hash = '';
    return url.protocol === 'http:' ? url : undefined;
  } catch {
    return undefined;
  }
}

function* elementsOf(node: Node): Generator<Element> {
  if (tree.isElementNode(node)) yield node;
  if ('childNodes' in node) for (const child of node.childNodes) yield* elementsOf(child);
  // A template's content is inert: nothing in it is loaded.
}

function baseOf(elements: readonly Element[], pageUrl: URL): URL {
  const href = elements
    .filter(e => e.tagName === 'base')
    .map(e => attribute(e, 'href'))
    .find(value => value !== undefined);
  if (href === undefined) return pageUrl;
  try {
    return new URL(href, pageUrl);
  } catch {
    return pageUrl;
  }
}

function referencesOf(element: Element): [string | undefined, ResourceKind][] {
  const get = (name: string): string | undefined => attribute(element, name);
  switch (element.tagName) {
    case 'link':
      return linkOf(get('rel') ?? '', get('href'), get('as'));
    case 'script':
      return [[get('src'), 'script']];
    case 'img':
      return [[get('src') ?? firstOfSrcset(get('srcset')), 'image']];
    case 'input':
      return get('type')?.toLowerCase() === 'image' ? [[get('src'), 'image']] : [];
    case 'video':
      return [[get('poster'), 'image']];
    case 'image':
      return [[get('href') ?? get('xlink:href'), 'image']];
    case 'body':
    case 'table':
    case 'td':
      return [[get('background'), 'image']];
    default:
      return [];
  }
}

function linkOf(rel: string, href: string | undefined, as: string | undefined): [string | undefined, ResourceKind][] {
  const kinds = rel.toLowerCase().split(/\s+/);
  if (href === undefined || href.trim() === '') return [];
  if (kinds.includes('stylesheet')) return kinds.includes('alternate') ? [] : [[href, 'style']];
  if (kinds.includes('icon')) return [[href, 'image']];
  if (kinds.includes('preload'))
    return [[href, as === 'style' || as === 'script' || as === 'image' || as === 'font' ? as : 'other']];
  return [];
}

const firstOfSrcset = (srcset: string | undefined): string | undefined =>
  srcset?.trim().split(/[\s,]+/)[0] || undefined;

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find(a => (a.prefix ? `${a.prefix}:${a.name}` : a.name) === name)?.value;
}

function textOf(node: Node): string {
  if (tree.isTextNode(node)) return node.value;
  return 'childNodes' in node ? node.childNodes.map(textOf).join('') : '';
}
