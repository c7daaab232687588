/** The send buffer grows with what the path and the other end can take, where the user has not set it. */
import { powerOfTwoFrom } from '../../base/bits.ts';
import { seqDiff } from '../../base/seq32.ts';
import type { Sender } from './sender.ts';

/** net.inet.tcp.sendbuf_inc. */
const BSD_STEP = 8192;

export function growSendBuffer(s: Sender): void {
  const { sendBufferMax, sendBuffer, windowRule } = s.host.settings;
  if (sendBufferMax <= sendBuffer) return;
  if (windowRule === 'freebsd') growInSteps(s, sendBufferMax);
  else follow(s, sendBufferMax);
}

/** Twice the window, so that a lost segment does not stop the writer. */
function follow(s: Sender, most: number): void {
  const { cwnd } = s.recovery.window;
  const perSegment = powerOfTwoFrom(s.tcb.mss + 640) + 256;
  const wanted = 2 * perSegment * Math.max(cwnd, s.host.settings.initialWindow, s.recovery.reordering + 1);
  if (wanted > s.capacity) s.capacity = Math.min(wanted, most);
}

/** BSD: a step further while the buffer is what holds the sender: nearly full, and all of it could be sent. */
function growInSteps(s: Sender, most: number): void {
  const { tcb, capacity, recovery } = s;
  const used = seqDiff(s.writeSeq, tcb.sndUna);
  const window = Math.min(tcb.sndWnd, recovery.window.cwnd * tcb.mss);
  const isHeld = used >= (capacity / 8) * 7 && window >= s.unsent;
  if (isHeld && (tcb.sndWnd / 4) * 5 >= capacity && used < most) s.capacity = Math.min(capacity + BSD_STEP, most);
}
