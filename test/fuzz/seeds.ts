/** What the fuzzer starts from: the real packets of a page load, and texts of each kind. */
import { utf8 } from '../../src/base/bytes.ts';
import { seconds } from '../../src/base/instant.ts';
import { EXAMPLE_ZONE, TEST_ZONE } from '../../src/sim/builtin/zones.ts';
import { EPOCH } from '../../src/sim/epoch.ts';
import { Internet } from '../../src/sim/internet.ts';
import { toPcapng } from '../../src/trace/export/pcapng.ts';
import { Recorder } from '../../src/trace/recorder.ts';
import { ETHERTYPE, ethernet } from '../../src/wire/ethernet.ts';
import { ipv4, ipv4HeaderLength } from '../../src/wire/ipv4.ts';
import { loadJourney } from '../lib/journey.ts';

export async function seeds(): Promise<Record<string, Uint8Array[]>> {
  const { recorder, page } = await loadJourney('http://www.example.test/', { loss: 0.1 });
  const newer = await ipv6Frames();
  const frames = [...recorder.events.flatMap(e => (e.kind === 'frame' ? [e.bytes] : [])).slice(0, 2000), ...newer];
  const datagrams = frames
    .filter(f => ethernet.f.type.get(f, 0) === ETHERTYPE.ipv4)
    .map(f => f.subarray(ethernet.size));
  const payloads = (protocol: number): Uint8Array[] =>
    datagrams.filter(d => ipv4.f.protocol.get(d, 0) === protocol).map(d => d.subarray(ipv4HeaderLength(d, 0)));
  const texts = (...all: string[]): Uint8Array[] => all.map(text => utf8(text));
  const request = 'POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc';
  const response =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  return {
    frames,
    // What the web server's own card receives.
    'a whole host': [
      ...recorder.events.flatMap(e =>
        e.kind === 'frame' && e.link === 'www:dc-switch' && e.to === 'www' ? [e.bytes] : [],
      ),
      ...newer,
    ],
    ARP: frames.filter(f => ethernet.f.type.get(f, 0) === ETHERTYPE.arp).map(f => f.subarray(ethernet.size)),
    IPv4: datagrams,
    ICMP: [Uint8Array.of(8, 0, 0xf7, 0xff, 0, 0, 0, 0), ...datagrams.slice(0, 20)],
    UDP: payloads(17),
    TCP: payloads(6),
    DNS: payloads(17).map(d => d.subarray(8)),
    'HTTP request': texts(request, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    'HTTP response': texts(response, 'HTTP/1.0 304 \r\n\r\n'),
    'HTTP head end': texts(request, response),
    'chunked body': texts('5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n', 'ff\r\n', '0\r\n\r\n'),
    capture: [toPcapng(recorder.events.slice(0, 300), { epoch: EPOCH })],
    dissection: frames,
    'zone file': texts(EXAMPLE_ZONE, TEST_ZONE),
    HTML: page.resources.filter(r => r.type?.startsWith('text/html')).map(r => r.body),
    CSS: page.resources.filter(r => r.type?.startsWith('text/css')).map(r => r.body),
    'HTTP field values': texts(
      '0-5,7-',
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'gzip;q=0.5, br',
      'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
    ),
  };
}

/** What a host with the address fd00::80 sees of a router and of a neighbour: discovery, fragments, errors, TCP. */
async function ipv6Frames(): Promise<Uint8Array[]> {
  const recorder = new Recorder();
  const net = new Internet({ seed: 6, trace: recorder.sink });
  const [own, other, router] = [net.host('own'), net.host('other'), net.router('router')];
  net.lan('lan', [
    [router, 'fd00::1/64'],
    [own, 'fd00::80/64'],
    [other, 'fd00::2/64'],
  ]);
  net.route();
  own.ip6.join('ff02::fb');
  const handler = { data: () => {}, end: () => {}, error: () => {}, closed: () => {} };
  own.network.listen({ port: 80 }, socket => ({ ...handler, end: () => socket.end() }));
  const connected = (): void => {
    socket.write(new Uint8Array(3000));
    socket.end();
  };
  const socket = other.network.connect({ address: 'fd00::80', port: 80 }, { ...handler, connected });
  await net.clock.until(other.ping('fd00::80', { count: 1, size: 4000 }));
  await net.clock.until(own.ping('fd00:9::1', { count: 1 }));
  other.udp.open()?.send(new Uint8Array(10), 'ff02::fb', 53);
  other.udp.open()?.send(new Uint8Array(10), 'fd00::80', 9);
  net.clock.runSync(seconds(100));
  return recorder.events.flatMap(e => (e.kind === 'frame' ? [e.bytes] : []));
}
