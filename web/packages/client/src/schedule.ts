/** How a connection ended. */
export interface Ended {
  code: number;
  reason: string;
  /** The server's word on when to come back, in milliseconds. */
  delay?: number | undefined;
  /** The page has just woken up, or was told that the network is back: no need to wait. */
  awake?: boolean;
}

/** When to try again. */
export interface Retry {
  /** Milliseconds. */
  delay: number;
  /** Not with this token. */
  fresh: boolean;
  /** The server has given the delay: nothing may shorten it. */
  firm: boolean;
}

/** No pause between attempts is longer, in milliseconds. */
export const longestPause = 60_000;

/** Exponential backoff with full jitter: anything up to a bound that doubles each time. */
export function backoff(attempt: number): number {
  return Math.random() * Math.min(longestPause, 1000 * 2 ** attempt);
}

/**
 * Says when to try again after a connection has ended, or undefined for never. The first two
 * digits of a close code say what to do:
 *
 *     40xx  stop
 *     41xx  after the delay given
 *     42xx  after the delay given, else spread over the window
 *     43xx  at once, with a fresh token
 *     else  spread over the window, then backing off
 *
 * @param attempt how often it has failed since the last connection that held
 * @param window over how many milliseconds the server wants its clients spread
 */
export function retry({ code, delay, awake }: Ended, attempt: number, window: number): Retry | undefined {
  const band = Math.floor(code / 100);
  if (band === 40) return undefined;
  const fresh = band === 43;
  if (delay !== undefined && (band === 41 || band === 42)) return { delay, fresh, firm: true };
  if (attempt > 0 || band === 41) delay = backoff(attempt || 1);
  else delay = fresh || awake ? 0 : Math.random() * window;
  return { delay, fresh, firm: false };
}

/** Reads a close frame's reason: JSON with `reason` and `delay_ms`, or plain text. */
export function ended(code: number, text: string): Ended {
  try {
    const { reason, delay_ms: delay } = JSON.parse(text) as { reason?: string; delay_ms?: number };
    return { code, reason: reason ?? "", delay };
  } catch {
    return { code, reason: text };
  }
}
