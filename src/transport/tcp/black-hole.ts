/**
 * Black holes as BSD finds them (RFC 2923 §2.1): a path that drops what is too big and does not say so. After every second
 * timeout the segments become smaller, from a common size to the least that every path takes; where that does not help
 * either, it was no black hole, and the size goes back.
 */
import type { TcpConnection } from './connection.ts';
import { initialWindow } from './initial-window.ts';

/** Timeouts in a row from which on it may be one, and from which on it was none. */
const FIRST = 2;
const NONE_AFTER = 6;

/** What one connection suspects; made for the first timeout that looks like it. */
export class BlackHole {
  private readonly saved: number;
  private readonly c: TcpConnection;

  constructor(connection: TcpConnection) {
    this.c = connection;
    this.saved = connection.tcb.pathMss;
  }

  /** `timeouts` in a row, this one reckoned in. */
  timedOut(timeouts: number): void {
    const { tcb, settings, observer } = this.c;
    if (timeouts >= NONE_AFTER) {
      if (tcb.pathMss === this.saved) return;
      this.resize(this.saved);
      observer?.decided('path-mtu', 'smaller segments do not arrive either: the size goes back');
      return;
    }
    if (timeouts < FIRST || timeouts % 2 !== 0) return;
    const { base } = settings.mtuProbing;
    const present = Math.min(tcb.pathMss, tcb.peerMss);
    this.resize(present > base ? base : Math.min(present, observer?.defaultMss ?? settings.defaultMss.ipv4));
    observer?.decided('path-mtu', `perhaps a black hole: segments of ${tcb.pathMss} bytes from now on`);
  }

  /** The window is a new connection's: what was known of the path was known of other segments. */
  private resize(mss: number): void {
    const { tcb, sender, settings } = this.c;
    tcb.pathMss = mss;
    sender.recovery.window.cwnd = initialWindow(settings, tcb);
  }
}

export function suspectAsBsd(c: TcpConnection, timeouts: number): void {
  if (c.state !== 'ESTABLISHED' && c.state !== 'FIN_WAIT_1') return;
  if (c.blackHole === undefined && timeouts < FIRST) return;
  c.blackHole ??= new BlackHole(c);
  c.blackHole.timedOut(timeouts);
}
