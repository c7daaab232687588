/** The largest of the values of the last so many rounds (Kathleen Nichols' windowed filter: three estimates suffice). */
interface Estimate {
  value: number;
  round: number;
}

export class MaxFilter {
  private readonly rounds: number;
  /** The largest, and the largest of what came after it, twice. */
  private best: Estimate[] = [];

  constructor(rounds: number) {
    this.rounds = rounds;
  }

  get value(): number {
    return this.best[0]?.value ?? 0;
  }

  update(value: number, round: number): void {
    const latest = { value, round };
    const [first, second, third] = this.best;
    if (first === undefined || value >= first.value || round - third.round > this.rounds) {
      this.best = [latest, latest, latest];
      return;
    }
    if (value >= second.value) this.best = [first, latest, latest];
    else if (value >= third.value) this.best = [first, second, latest];
    this.age(latest);
  }

  /** The largest gives way when it is too old; in between, later ones are noted so that one is at hand. */
  private age(latest: Estimate): void {
    const [first, second, third] = this.best;
    const age = latest.round - first.round;
    if (age > this.rounds) {
      this.best = latest.round - second.round > this.rounds ? [third, latest, latest] : [second, third, latest];
    } else if (second.round === first.round && age > this.rounds / 4) {
      this.best = [first, latest, latest];
    } else if (third.round === second.round && age > this.rounds / 2) {
      this.best = [first, second, latest];
    }
  }
}
