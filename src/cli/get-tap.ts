/** `netarium get --tap`: the same browser and the same stack, and a real kernel on the other side. */
import { Browser, type Page } from '../application/browser/browser.ts';
import { DnsCache } from '../application/dns/cache.ts';
import { Forwarder } from '../application/dns/forwarder.ts';
import { HostsFile } from '../application/dns/hosts-file.ts';
import { seconds } from '../base/instant.ts';
import { sleep } from '../base/scheduler.ts';
import { zlibCodings } from '../node/zlib.ts';
import type { Recorder } from '../trace/recorder.ts';
import { tellJourney } from '../trace/story/journey.ts';
import { parseIp } from '../wire/ip-address.ts';
import { type Flag, type Parsed, UsageError } from './arguments.ts';
import { describeFailure, type Failure } from './errors.ts';
import type { Loaded } from './get.ts';
import { openTapHost, TAP_HOST_FLAGS } from './tap-host.ts';

export const TAP_FLAGS: Record<string, Flag> = { ...TAP_HOST_FLAGS, dns: { type: 'string' } };

const CLIENT = 'netarium';
/** For the FINs of both ends; TIME_WAIT is not waited for in real time. */
const CLOSING = seconds(2);

export async function getThroughTap(args: Parsed, url: string, recorder: Recorder): Promise<Loaded> {
  const dns = args.text('dns');
  if (dns !== undefined && parseIp(dns) === undefined) throw new UsageError(`--dns takes an IP address, not '${dns}'`);
  const { host, clock, close } = openTapHost(args, CLIENT, recorder.sink);
  const resolver = new Forwarder(host.context, host.network, {
    who: 'stub',
    servers: dns === undefined ? [] : [{ address: dns }],
    cache: new DnsCache('host cache', clock),
    hosts: new HostsFile('127.0.0.1 localhost'),
  });
  const browser = new Browser(host.context, host.network, resolver, { codings: zlibCodings });
  let page: Page | undefined;
  let failure: Failure | undefined;
  try {
    page = await browser.load(url);
  } catch (error) {
    failure = describeFailure(error);
    if (failure === undefined) throw error;
  }
  browser.close();
  const until = clock.now() + CLOSING;
  const isOpen = (): boolean => host.tcp.connections().some(c => c.state !== 'TIME_WAIT');
  while (isOpen() && clock.now() < until) await sleep(clock, seconds(0.02));
  const options = { client: CLIENT, hosts: 1, endedAt: clock.now() };
  const journey = tellJourney(recorder, failure === undefined ? options : { ...options, error: failure });
  close();
  return { journey, page, failure };
}
