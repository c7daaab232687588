/** A server in front of a Resolver: what a home router's forwarder and a provider's recursive resolver have in common. */
import { type DnsMessage, RCODE } from '../../wire/dns-types.ts';
import { edns } from './client.ts';
import type { DnsHandler } from './server.ts';
import { CNAME_LOOP, EDE_NO_REACHABLE_AUTHORITY, EDE_OTHER, encodeExtendedError, type Resolver } from './types.ts';

export function serveResolver(resolver: Resolver): DnsHandler {
  return async (query, response) => {
    const [question] = query.questions;
    response.recursionAvailable = true;
    if (question.class !== 1) {
      response.rcode = RCODE.REFUSED;
      return;
    }
    const answer = await resolver.resolve(question.name, question.type);
    response.rcode = answer.rcode;
    response.answers.push(...answer.records);
    if (answer.soa !== undefined) response.authorities.push(answer.soa);
    if (answer.why !== undefined) explain(response, answer.why);
  };
}

function explain(response: DnsMessage, why: string): void {
  if (response.edns === undefined) return;
  const code = why.startsWith(CNAME_LOOP) ? EDE_OTHER : EDE_NO_REACHABLE_AUTHORITY;
  response.edns = { ...edns(), options: encodeExtendedError(code, why) };
}
