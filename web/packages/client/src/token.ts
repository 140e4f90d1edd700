/** What the client reads of a token. Only the gateway can check it. */
export interface Claims {
  /** Whose it is, or undefined when the token cannot be read. */
  user: string | undefined;
  /** When it expires, in milliseconds; Infinity for never. */
  expires: number;
  /** For how long it was made, in milliseconds. */
  lifetime: number;
}

interface Body {
  user_id?: string | number;
  sub?: string | number;
  exp?: number;
  iat?: number;
}

/** Reads a JSON Web Token. */
export function claims(token: string): Claims {
  let body: Body = {};
  try {
    const text = atob((token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    body = Object(JSON.parse(new TextDecoder().decode(bytes))) as Body;
  } catch {
    // it says nothing, and never expires
  }
  const { user_id, sub, exp = Infinity, iat = Date.now() / 1000 } = body;
  const user = user_id ?? sub;
  return {
    user: user === undefined ? user : String(user),
    expires: exp * 1000,
    lifetime: (exp - iat) * 1000,
  };
}

/**
 * How long to wait before a token is replaced: until a fifth of its life is left, but no more
 * than a minute, and somewhat earlier by chance, since many may have been issued together.
 *
 * @param skew by how many milliseconds the server's clock is ahead
 */
export function refreshIn({ expires, lifetime }: Claims, skew: number): number {
  const early = Math.min(lifetime / 5, 60_000);
  return expires - early * (1 + Math.random() / 2) - Date.now() - skew;
}
