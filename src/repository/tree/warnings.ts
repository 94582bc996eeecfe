/** Warning lines of one run; beyond a thousand only their number is kept, so that a broken disk does not fill memory and snapshot. */
export class Warnings {
  readonly #lines: string[] = [];
  #more = 0;

  readonly add = (line: string): void => {
    if (this.#lines.length < 1000) this.#lines.push(line);
    else this.#more++;
  };

  list(): readonly string[] {
    return this.#more === 0 ? this.#lines : [...this.#lines, `${this.#more} more warnings of this kind were not kept.`];
  }
}
