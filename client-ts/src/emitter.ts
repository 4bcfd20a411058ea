/** Typed listeners. An exception in one does not prevent calls of the others. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  /** Calls `listener` for each event of this type until the returned function is called. */
  on<K extends keyof Events>(type: K, listener: (value: Events[K]) => void): () => void {
    const all = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, all.add(listener));
    return () => all.delete(listener);
  }

  /** @internal */
  _emit<K extends keyof Events>(type: K, value: Events[K]): void {
    this.#listeners.get(type)?.forEach((listener) => {
      try {
        (listener as (value: Events[K]) => void)(value);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    });
  }
}
