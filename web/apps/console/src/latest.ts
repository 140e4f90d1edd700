/**
 * What an operator has asked for last: answers to what was asked before may come later, and
 * are wanted no more. Each panel has its own.
 */
export class Latest {
  #begun = 0;

  /** Begins something in place of all before, and returns whether that is the latest still. */
  begin(): () => boolean {
    this.#begun++;
    return this.join();
  }

  /** Returns whether nothing has begun since: for what belongs to the latest, and replaces nothing. */
  join(): () => boolean {
    const own = this.#begun;
    return () => own === this.#begun;
  }
}
