/** Listeners by type. What a listener throws is reported, and reaches neither the others nor the caller. */
export class Emitter<Types extends object> {
  readonly #listeners = new Map<unknown, Set<(event: never) => void>>();

  on<K extends keyof Types>(type: K, listener: (event: Types[K]) => void): () => void {
    let set = this.#listeners.get(type);
    if (!set) this.#listeners.set(type, (set = new Set()));
    set.add(listener);
    return () => set.delete(listener);
  }

  emit<K extends keyof Types>(type: K, event: Types[K]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        (listener as (event: Types[K]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
