// Messages that are numbered by who sends them: how many are missing, came twice, or came behind a later one.

export class Tally {
  lost = 0;
  doubled = 0;
  reordered = 0;

  /** What came of `sent` messages, in whichever order. */
  count(numbers: readonly number[], sent: number): void {
    const different = new Set(numbers).size;
    this.lost += sent - different;
    this.doubled += numbers.length - different;
  }

  /** What came of them over one way, as it came. */
  inOrder(numbers: readonly number[], sent: number): void {
    this.count(numbers, sent);
    for (let i = 1; i < numbers.length; i++) if (numbers[i]! < numbers[i - 1]!) this.reordered += 1;
  }
}
