import { randomId } from "./requests.js";

const key = "ginforge-gateway:device";

/** The name of this browser, the same at every visit, or undefined where nothing can be kept. */
export function thisDevice(): string | undefined {
  try {
    const known = localStorage.getItem(key);
    if (known) return known;
    const made = randomId();
    localStorage.setItem(key, made);
    return made;
  } catch {
    return undefined;
  }
}
