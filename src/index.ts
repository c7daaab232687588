/**
 * The library: a network inside a program. Runs in Node and in a browser; what needs Node (TAP, files, zlib) is in
 * `netarium/node`.
 */
export { Browser, type Page, type Resource } from './application/browser/browser.ts';
export { AuthoritativeServer, Zone } from './application/dns/authoritative.ts';
export { DnsCache } from './application/dns/cache.ts';
export { Forwarder } from './application/dns/forwarder.ts';
export { HostsFile } from './application/dns/hosts-file.ts';
export { AddressLookup } from './application/dns/lookup.ts';
export { RecursiveResolver } from './application/dns/recursive.ts';
export { serveResolver } from './application/dns/resolver-server.ts';
export { DnsServer } from './application/dns/server.ts';
export { NameError } from './application/dns/types.ts';
export { HttpClient, type HttpRequest, type HttpResponse } from './application/http1/client.ts';
export type { ContentCodings } from './application/http1/codings.ts';
export { HttpError } from './application/http1/errors.ts';
export { Headers } from './application/http1/headers.ts';
export {
  HttpServer,
  type RequestHandler,
  type ServerRequest,
  type ServerResponse,
} from './application/http1/server.ts';
export { type FileStore, type StoredFile, staticFiles } from './application/http1/static.ts';
export { type Duration, formatDuration, type Instant, minutes, ms, ns, seconds, us } from './base/instant.ts';
export { type Random, seededRandom } from './base/random.ts';
export { type Scheduler, sleep, type Timer } from './base/scheduler.ts';
export { Host, type HostOptions, type World } from './host/host.ts';
export type { PingOptions, PingResult } from './host/ping.ts';
export { askRarp, serveRarp } from './internet/rarp.ts';
export { Cable, type CableOptions } from './link/cable.ts';
export { withFaults } from './link/faults.ts';
export { Switch } from './link/switch.ts';
export type { Frame, Link, Wrap } from './link/types.ts';
export { BuiltinInternet, type BuiltinOptions } from './sim/builtin/builtin.ts';
export { VirtualClock, WorldAtRest } from './sim/clock.ts';
export { EPOCH, wallClock } from './sim/epoch.ts';
export { memoryFiles } from './sim/files.ts';
export { Internet, type InternetOptions } from './sim/internet.ts';
export { NetworkError } from './socket/errors.ts';
export type { ByteSocket, DatagramSocket, Listener, Network, SocketHandler } from './socket/types.ts';
export { dissectFrame } from './trace/dissect.ts';
export type { Trace, TraceEvent } from './trace/events.ts';
export { toPcapng } from './trace/export/pcapng.ts';
export { Recorder } from './trace/recorder.ts';
export { connectionStories } from './trace/story/connections.ts';
export { tellJourney } from './trace/story/journey.ts';
export { chapters, ladder } from './trace/story/ladder.ts';
export { renderJourney } from './trace/story/render.ts';
export type { ConnectionStory, Journey, LadderRow } from './trace/story/types.ts';
export type { CongestionControl } from './transport/tcp/congestion/types.ts';
export type { TcpEndpoint } from './transport/tcp/endpoint.ts';
export { PROFILES, type ProfileName } from './transport/tcp/profiles.ts';
export { STATES, type State, TRANSITIONS } from './transport/tcp/state.ts';
export type { TcpSettings } from './transport/tcp/types.ts';
