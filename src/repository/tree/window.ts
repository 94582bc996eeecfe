/**
 * At most `width` pieces of work at once; whoever starts one more waits. The first failure is thrown by the next call, so that nothing
 * is started after it and no rejection is left unhandled.
 */
export class WorkWindow {
  readonly #width: number;
  #running = 0;
  #tracked = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  /** Resolves once the work has begun. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running >= this.#width && this.#failure === undefined) await this.settled();
    this.throwFailure();
    this.#running++;
    this.#track(
      work().finally(() => {
        this.#running--;
      }),
    );
  }

  /** Waits for its turn, too, but hands result and failure to the caller alone. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#width) await this.settled();
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#wake();
    }
  }

  #track(work: Promise<void>): void {
    this.#tracked++;
    work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#tracked--;
        this.#wake();
      });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when any piece of work ends. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when no work is left; throws the first failure, at once. */
  async drain(): Promise<void> {
    while (this.#tracked > 0 && this.#failure === undefined) await this.settled();
    this.throwFailure();
  }

  /** Resolves when no work is left, whatever came of it. */
  async idle(): Promise<void> {
    while (this.#tracked > 0) await this.settled();
  }
}
