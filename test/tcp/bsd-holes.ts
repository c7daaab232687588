/** The scoreboard of bsd-sender.ts: FreeBSD's holes, which is what is not SACKed below the highest that is. */

export interface Block {
  start: number;
  end: number;
}

interface Hole extends Block {
  /** Up to where it was sent again. */
  rxmit: number;
}

/** 'new loss': a hole above all others. */
export type SackChange = 'none' | 'change' | 'new loss';

/** Bytes that may be SACKed above a hole without its being lost, in segments. */
const TOLERATED = 2;

export class BsdHoles {
  holes: Hole[] = [];
  sackedBytes = 0;
  resentBytes = 0;
  /** By the last acknowledgement, SACKed or in order. */
  delivered = 0;
  private nextHole: Hole | undefined;
  /** The end of the highest that is SACKed. */
  private fack = 1;
  private readonly mss: number;

  constructor(mss: number) {
    this.mss = mss;
  }

  /** tcp_sack_doack. */
  update(una: number, ack: number, max: number, recover: number, sack: readonly Block[]): SackChange {
    const before = this.holes.map(hole => ({ ...hole }));
    const oldFack = this.fack;
    const edge = Math.max(ack, una);
    const sackedBefore = sackedBetween(before, oldFack, edge, oldFack);
    if (this.holes.length === 0) this.fack = edge;
    const blocks = [...(ack > una ? [{ start: una, end: ack }] : []), ...sack]
      .filter(block => block.start >= una && block.end <= max && block.end >= edge)
      .sort((a, b) => a.start - b.start);
    let change = this.changeBy(blocks.at(-1), una);
    const scoreboard = JSON.stringify(this.holes);
    for (const block of blocks) this.cover(block, una, recover);
    if (change === 'none' && JSON.stringify(this.holes) !== scoreboard) change = 'change';
    this.sackedBytes = sackedBetween(this.holes, this.fack, edge, this.fack);
    // What arrived for the first time: SACKed now, or below the acknowledgement and not SACKed before.
    const sackedBelow = ack > una ? sackedBetween(before, oldFack, una, ack) : 0;
    this.delivered = edge - una - sackedBelow + this.sackedBytes - sackedBefore;
    this.resentBytes = this.holes.reduce((sum, hole) => sum + Math.min(hole.rxmit, hole.end) - hole.start, 0);
    return sack.length === 0 ? 'none' : change;
  }

  private changeBy(highest: Block | undefined, una: number): SackChange {
    if (highest === undefined || highest.end <= una || highest.end <= this.fack) return 'none';
    const rescued = this.holes.some(hole => hole.start >= this.fack);
    return this.fack < highest.start && !rescued ? 'new loss' : 'change';
  }

  /** Cuts a block out of the holes; one behind the highest makes a new hole. */
  private cover(block: Block, una: number, recover: number): void {
    if (block.start > this.fack) this.open(block.start, una);
    if (block.end > this.fack) this.fack = block.end;
    for (const hole of [...this.holes]) {
      if (block.end <= hole.start || block.start >= hole.end) continue;
      const at = this.holes.indexOf(hole);
      if (block.start <= hole.start && block.end >= hole.end) {
        this.holes.splice(at, 1);
        if (this.nextHole === hole) this.nextHole = this.holes[at];
      } else if (block.start <= hole.start) {
        hole.start = block.end;
        hole.rxmit = Math.max(hole.rxmit, hole.start);
      } else {
        if (block.end < hole.end) {
          this.holes.splice(at + 1, 0, { start: block.end, end: hole.end, rxmit: Math.max(hole.rxmit, block.end) });
        }
        hole.end = block.start;
        // One that was sent again whole stays so until what came after recovery began arrives.
        if (hole.rxmit >= hole.end) hole.rxmit = Math.max(hole.end, recover);
      }
    }
  }

  private open(end: number, una: number): void {
    const last = this.holes.at(-1);
    if (last !== undefined && this.fack <= last.end) {
      // A rescue has arrived: its hole moves to the left of it.
      last.start = Math.max(this.fack, una);
      last.end = end;
      last.rxmit = last.start;
      this.nextHole ??= last;
    } else {
      this.holes.push({ start: this.fack, end, rxmit: this.fack });
      this.nextHole ??= this.holes.at(-1);
    }
  }

  /** RFC 6675's IsLost. */
  get lostBytes(): number {
    let lost = 0;
    for (const [i, hole] of this.holes.entries()) {
      let above = 0;
      for (let j = i; j < this.holes.length; j++) {
        above += (this.holes[j + 1]?.start ?? this.fack) - this.holes[j].end;
      }
      if (above > TOLERATED * this.mss) lost += hole.end - hole.start;
    }
    return lost;
  }

  /** tcp_sack_output: the hole that is sent again next. */
  next(): Hole | undefined {
    let hole = this.nextHole;
    while (hole !== undefined && hole.rxmit >= hole.end) hole = this.holes[this.holes.indexOf(hole) + 1];
    if (hole !== undefined) this.nextHole = hole;
    return hole;
  }

  /** tcp_sack_lost_retransmission: something sent after recovery began has arrived, the first hole, sent again, has not. */
  restartLost(recover: number): boolean {
    const [first] = this.holes;
    if (first === undefined || this.fack <= recover || first.rxmit < first.end || this.fack < first.rxmit) return false;
    this.nextHole = first;
    for (const hole of this.holes) {
      if (this.fack < hole.rxmit || hole.rxmit < hole.end) continue;
      this.resentBytes -= hole.end - hole.start;
      hole.rxmit = hole.start;
    }
    return true;
  }

  /** RFC 6675 §4 NextSeg (4), the rescue retransmission: of the last segment, where nothing is left to say of the rest. */
  rescue(ack: number, high: number): void {
    this.fack = Math.max(ack, this.fack);
    const start = Math.max(ack, high - this.mss);
    this.nextHole = { start, end: high, rxmit: start };
    this.holes.push(this.nextHole);
  }

  /** tcp_resend_sackholes, and the second time tcp_free_sackholes. */
  timedOut(again: boolean): void {
    if (again) this.holes = [];
    for (const hole of this.holes) hole.rxmit = hole.start;
    [this.nextHole] = this.holes;
    this.resentBytes = 0;
    if (this.holes.length === 0) this.sackedBytes = 0;
  }

  /** tcp_sack_adjust. */
  skipSacked(nxt: number): number {
    if (this.holes.length === 0 || nxt >= this.fack) return nxt;
    for (const [i, hole] of this.holes.entries()) {
      if (nxt < hole.end) return nxt;
      const after = this.holes[i + 1];
      if (after !== undefined && nxt < after.start) return after.start;
    }
    return this.fack;
  }
}

/** Bytes of a range that are SACKed: below the highest, and in no hole. */
function sackedBetween(holes: readonly Block[], fack: number, from: number, to: number): number {
  const end = Math.min(to, fack);
  if (holes.length === 0 || end <= from) return 0;
  let missing = 0;
  for (const hole of holes) missing += Math.max(0, Math.min(hole.end, end) - Math.max(hole.start, from));
  return end - from - missing;
}
