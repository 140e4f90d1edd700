/**
 * Calls back when the page may have been asleep or away from the network: it is shown again,
 * thawed, or told that the network is back. Returns the function that ends it.
 */
export function onWake(wake: () => void): () => void {
  const targets: [Partial<EventTarget> | undefined, string[]][] = [
    [globalThis, ["online", "pageshow"]],
    [globalThis.document, ["visibilitychange", "resume"]],
  ];
  const awake = (): void => {
    if ((globalThis.document as Document | undefined)?.visibilityState !== "hidden") wake();
  };
  const each = (method: "addEventListener" | "removeEventListener"): void => {
    for (const [target, types] of targets) for (const type of types) target?.[method]?.(type, awake);
  };
  each("addEventListener");
  return () => each("removeEventListener");
}
