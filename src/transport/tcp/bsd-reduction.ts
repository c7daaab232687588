/** Proportional rate reduction as BSD has it (RFC 6937 with the slow start bound of its successor), in bytes. */
export class BsdReduction {
  private delivered = 0;
  private out = 0;
  /** RecoverFS: what was out when it began. */
  private flight = 0;

  begin(delivered: number, flight: number): void {
    this.delivered = delivered;
    this.out = 0;
    this.flight = flight;
  }

  /** What was sent again is lost again: another reduction, of what has been sent since. */
  beginAgain(flight: number): void {
    this.flight = flight - this.flight;
  }

  end(): void {
    this.delivered = 0;
    this.out = 0;
    this.flight = 0;
  }

  sent(bytes: number): void {
    this.out += bytes;
  }

  /** What a duplicate ACK without SACK stands for: a segment, as long as there can have been one. */
  uncounted(mss: number, outstanding: number): number {
    return this.delivered < 3 * mss + outstanding ? mss : 0;
  }

  /** Segments that may be sent now. `ahead`: SND.NXT - SND.UNA before. */
  allow(ssthresh: number, pipe: number, ahead: number, delivered: number, isNewLoss: boolean, mss: number): number {
    this.delivered += delivered;
    if (pipe >= ssthresh) {
      if (this.flight === 0) this.flight = Math.max(1, ahead);
      const allowed = Math.ceil((this.delivered * ssthresh) / this.flight) - this.out;
      return Math.floor(Math.max(allowed + mss - 1, 0) / mss);
    }
    const behind = this.delivered - this.out;
    // A new hole, or nothing delivered: the network may be worse off than it seems.
    const limit = isNewLoss || delivered === 0 ? behind : Math.max(behind, delivered) + mss;
    return Math.floor(Math.max(Math.min(ssthresh - pipe, limit), 0) / mss);
  }
}
