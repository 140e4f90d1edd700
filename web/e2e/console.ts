import type { BrowserContext, Locator, Page, Route } from "playwright-core";
import { patience, until, type Gateway } from "./processes.ts";

/** The key of the internal API in these tests. */
export const apiKey = "the-console-tests-call-with-this-key";

/** Calls the API of a gateway. */
export async function call<T>(gateway: Gateway, path: string, body?: object): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/v1/${path}`, {
    method: body ? "POST" : "GET",
    headers: { "X-API-Key": apiKey },
    ...(body && { body: JSON.stringify(body) }),
  });
  const { data, message } = (await response.json()) as { data: T; message: string };
  if (!response.ok) throw new Error(`${path}: ${response.status} ${message}`);
  return data;
}

/** How many messages one pouring has. */
const poured = 4;

/** Publishes as much into a room as kernels keep for a client that reads nothing, bit by bit. */
export async function pour(gateway: Gateway, room: string): Promise<void> {
  const message = { type: "room_message", content: { text: "x".repeat(30_000) } };
  await call(gateway, "publish/batch", {
    messages: Array.from({ length: poured }, () => ({ channel: `room:${room}`, message })),
  });
}

/**
 * Pours until a client of a node is slow, who must be the only one there that gets
 * anything. A bit has arrived before the next is poured: else a busy node gets in one go
 * what is enough to give the client up.
 */
export async function crowd(gateway: Gateway, room: string): Promise<void> {
  interface Stats {
    slow_connections: number;
    deliveries: Record<string, number>;
  }
  const look = async (): Promise<{ slow: boolean; delivered: number }> => {
    const { slow_connections, deliveries } = await call<Stats>(gateway, "stats");
    return { slow: slow_connections > 0, delivered: Object.values(deliveries).reduce((a, b) => a + b, 0) };
  };
  let { slow, delivered } = await look();
  while (!slow) {
    const before = delivered;
    await pour(gateway, room);
    await until("what was poured has arrived", async () => {
      ({ slow, delivered } = await look());
      return delivered >= before + poured;
    });
  }
}

/** What a gateway needs for the console's tests. */
export const consoleSettings = {
  "admin.api_keys": apiKey,
  "engine.origins": "https://app.example.com",
  // Who reads nothing answers no ping either: it is to be slow, and not gone.
  "engine.ping_interval": "5m",
  "engine.pong_timeout": "4m",
  // So much that it is not given up at once.
  "limits.write_buffer_bytes": String(1 << 20),
};

/** A call of the API that waits for its answer. */
export class Held {
  readonly #route: Promise<Route>;
  #caught!: (route: Route) => void;

  constructor(private readonly page: Page) {
    this.#route = new Promise((resolve) => (this.#caught = resolve));
  }

  take(route: Route): void {
    this.#caught(route);
  }

  /** Resolves once the page has made the call. */
  async made(): Promise<void> {
    await this.#route;
  }

  /** Has it answered, and resolves once the page has done with the answer what it does. */
  async answer(): Promise<void> {
    const route = await this.#route;
    await route.continue();
    const response = await route.request().response();
    await response?.finished();
    // The page goes on in the tasks that follow, and draws.
    await this.page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    );
  }
}

/** An operator at the console. */
export class Operator {
  private constructor(
    readonly page: Page,
    /** What the page has complained of. */
    readonly complaints: string[],
  ) {}

  /** Opens the console of a gateway, with a key unless it is "". */
  static async open(context: BrowserContext, gateway: Gateway, key = apiKey): Promise<Operator> {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${gateway.adminPort}/`);
    const operator = new Operator(page, complaints);
    if (key) await operator.enter(key);
    return operator;
  }

  async enter(key: string): Promise<void> {
    await this.page.getByLabel("API key").fill(key);
    await this.page.getByRole("button", { name: "Open" }).click();
  }

  async sees(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor({ timeout: patience });
  }

  /** One of the numbers at the top. */
  async number(name: string): Promise<string> {
    return this.page.locator(".sums > div", { hasText: name }).locator("dd").innerText();
  }

  /** The row of a node. */
  row(node: string): Locator {
    return this.page.locator("tbody tr", { hasText: node });
  }

  /** What a plot says beside its title, in one line. */
  async plot(title: string): Promise<string> {
    const caption = this.page.locator(".plot", { hasText: title }).locator("figcaption");
    return (await caption.innerText()).replace(/\s+/g, " ");
  }

  /** What a plot says to those who do not see it. */
  async described(title: string): Promise<string> {
    const label = await this.page
      .getByRole("img", { name: new RegExp(`^${title}[,:]`) })
      .getAttribute("aria-label");
    return label ?? "";
  }

  /** Has a message followed. */
  async follow(id: string): Promise<void> {
    const box = this.page.getByLabel("The message's id");
    await box.fill(id);
    await box.press("Enter");
  }

  async find(user: string): Promise<void> {
    const box = this.page.getByLabel("A user's id, or its beginning");
    await box.fill(user);
    await box.press("Enter");
  }

  /** Keeps the next call of the API at a path from being answered. */
  async hold(path: RegExp): Promise<Held> {
    const held = new Held(this.page);
    await this.page.route(path, (route) => held.take(route), { times: 1 });
    return held;
  }

  /** The trace, a line for each event. */
  async trace(): Promise<string[]> {
    const lines = await this.page.locator(".trace li").allInnerTexts();
    return lines.map((line) => line.replace(/\s+/g, " "));
  }
}
