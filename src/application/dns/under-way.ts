/** Equal questions that are asked while the first is still open share its answer. */
import { canonicalName } from '../../wire/dns-name.ts';
import type { DomainName } from '../../wire/dns-types.ts';
import type { Answer } from './types.ts';

export class UnderWay {
  private readonly open = new Map<string, Promise<Answer>>();

  /** The answer that is on its way, or the one that `ask` will bring. */
  share(name: DomainName, type: number, ask: () => Promise<Answer>): Promise<Answer> {
    const key = `${canonicalName(name)} ${type}`;
    const pending = this.open.get(key);
    if (pending !== undefined) return pending;
    const asking = ask().finally(() => this.open.delete(key));
    this.open.set(key, asking);
    return asking;
  }
}
