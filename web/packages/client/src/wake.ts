const types = ["online", "pageshow", "visibilitychange", "resume"];

/**
 * Calls back when the page may have been asleep or away from the network: it is shown again,
 * thawed, or told that the network is back. Returns the function that ends it.
 */
export function onWake(wake: () => void): () => void {
  const awake = (): void => {
    if ((globalThis.document as Document | undefined)?.visibilityState !== "hidden") wake();
  };
  const each = (method: "addEventListener" | "removeEventListener"): void => {
    // Events of the document are caught on their way to it.
    for (const type of types) (globalThis as Partial<EventTarget>)[method]?.(type, awake, true);
  };
  each("addEventListener");
  return () => each("removeEventListener");
}
