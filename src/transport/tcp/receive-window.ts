/** Whose window a connection offers, by which shift it is told, and when it is worth a segment to tell of it. */

import { BsdWindow } from './bsd-window.ts';
import { MemoryWindow, RATIO } from './memory-window.ts';
import { SpaceWindow } from './space-window.ts';
import type { TcpSettings } from './types.ts';
import type { BufferState, WindowPolicy } from './window-policy.ts';

export function newWindowPolicy(settings: TcpSettings, mss: number): WindowPolicy {
  switch (settings.windowRule) {
    case 'linux':
      return new MemoryWindow(settings, mss);
    case 'freebsd':
      return new BsdWindow(settings);
    default:
      return new SpaceWindow(settings);
  }
}

/** The shift that lets a 16-bit field tell of the whole buffer (RFC 7323 §2.3: at most 14), and of what it may grow to. */
export function windowShift(settings: TcpSettings, capacity: number): number {
  if (settings.windowScale !== undefined) return settings.windowScale;
  // BSD always goes by what a socket's buffer can be at most.
  const fixed = settings.receiveBufferTuning === 'fixed' && settings.windowRule !== 'freebsd';
  const receiveBuffer = fixed ? capacity : Math.max(capacity, settings.receiveBufferMax);
  // Of a buffer of memory it is known what a window can become at most only where the user has set it.
  const window = fixed && settings.windowRule === 'linux' ? Math.floor(capacity * RATIO) : receiveBuffer;
  let shift = 0;
  while (shift < 14 && 65535 << shift < window) shift++;
  return shift;
}

/** BSD: the right edge moves by two segments and a good part of the buffer, or by half of it. */
function isWorthTelling(moves: number, free: number, capacity: number, fullSize: number): boolean {
  const part = moves >= capacity / 4 || free <= capacity / 8 || capacity <= 8 * fullSize;
  return (moves >= 2 * fullSize && part) || 2 * moves >= capacity;
}

/** After a read: is the window so much larger than the one that was offered that the other end should hear of it? */
export function isUpdateDue(settings: TcpSettings, policy: WindowPolicy, buffer: BufferState): boolean {
  const { windowRule } = settings;
  const { offered } = buffer;
  if (windowRule === 'linux') {
    if (2 * offered > policy.limit) return false;
    const fresh = policy.offer(buffer);
    return fresh > 0 && fresh >= 2 * offered;
  }
  const { capacity } = policy;
  if (windowRule === 'rfc' && 2 * offered >= capacity) return false;
  const { readable, fullSize, shift } = buffer;
  const free = Math.min(capacity - readable, 65535 << shift);
  if (windowRule === 'freebsd') return isWorthTelling(free - offered, free, capacity, fullSize);
  const enough = Math.min(Math.floor(capacity / 2), 2 * fullSize);
  return free - offered >= enough;
}
