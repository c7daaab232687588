/** Writes the resources of a page to disk, under the names that their URLs give them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from '../application/browser/browser.ts';

/** DIR/host/path; a path that ends in '/' becomes index.html. Answers how many files were written. */
export function savePage(page: Page, directory: string): number {
  let count = 0;
  for (const resource of page.resources) {
    if (resource.error !== undefined) continue;
    const file = join(directory, fileNameOf(resource.finalUrl));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, resource.body);
    count++;
  }
  return count;
}

/** No part of it is '..' or holds a separator; a query is kept as part of the name. */
function fileNameOf(url: string): string {
  const { host, pathname, search } = new URL(url);
  const safe = (text: string): string =>
    text
      .replace(/[^A-Za-z0-9._~!$&'()+,;=@%-]/g, '_')
      .replace(/^\.+$/, '_')
      .slice(0, 200);
  const parts = pathname.split('/').slice(1);
  const last = parts.pop() || 'index.html';
  return join(safe(host), ...parts.filter(part => part !== '').map(safe), safe(`${last}${search}`));
}
