/** Reverse ARP (RFC 903): a station that knows only its MAC address asks a server for its IP address. */
import { type Duration, seconds } from '../base/instant.ts';
import type { Context } from '../trace/events.ts';
import { formatIpv4, formatMac, type Ipv4Address, MAC_BROADCAST, type MacAddress } from '../wire/address.ts';
import { ARP_OPERATION, type ArpMessage } from '../wire/arp.ts';

/** What both sides need of an interface. */
export interface RarpPort {
  readonly mac: MacAddress;
  readonly address: Ipv4Address | undefined;
  sendRarp(message: ArpMessage, to: MacAddress): void;
  onRarp: ((message: ArpMessage) => void) | undefined;
}

/** Answers from its table; RFC 903: a server that does not know the station stays silent. */
export function serveRarp(context: Context, port: RarpPort, table: ReadonlyMap<MacAddress, Ipv4Address>): void {
  port.onRarp = message => {
    if (message.operation !== ARP_OPERATION.rarpRequest) return;
    const address = table.get(message.targetMac);
    if (address === undefined || port.address === undefined) return;
    tell(context, 'rarp-answer', address, message.targetMac);
    port.sendRarp(
      {
        operation: ARP_OPERATION.rarpReply,
        senderMac: port.mac,
        senderIp: port.address,
        targetMac: message.targetMac,
        targetIp: address,
      },
      message.senderMac,
    );
  };
}

export interface RarpRequest {
  tries?: number;
  interval?: Duration;
  done: (address: Ipv4Address | undefined) => void;
}

/** Asks by broadcast, `tries` times; answers undefined when nobody knew. */
export function askRarp(
  context: Context,
  port: RarpPort,
  { tries = 4, interval = seconds(1), done }: RarpRequest,
): void {
  let left = tries;
  let timer = context.scheduler.at(context.scheduler.now(), ask);
  function finish(address: Ipv4Address | undefined): void {
    timer.cancel();
    port.onRarp = undefined;
    done(address);
  }
  function ask(): void {
    if (left-- === 0) return finish(undefined);
    tell(context, 'rarp-request', 0, port.mac);
    const { mac } = port;
    port.sendRarp(
      { operation: ARP_OPERATION.rarpRequest, senderMac: mac, senderIp: 0, targetMac: mac, targetIp: 0 },
      MAC_BROADCAST,
    );
    timer = context.scheduler.at(context.scheduler.now() + interval, ask);
  }
  port.onRarp = message => {
    if (message.operation === ARP_OPERATION.rarpReply && message.targetMac === port.mac) finish(message.targetIp);
  };
}

function tell(context: Context, action: 'rarp-request' | 'rarp-answer', address: Ipv4Address, mac: MacAddress): void {
  const { trace, host, scheduler } = context;
  trace?.({ kind: 'arp', time: scheduler.now(), host, action, address: formatIpv4(address), mac: formatMac(mac) });
}
