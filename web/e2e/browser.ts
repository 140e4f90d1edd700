import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import type { Frame, StateChange } from "@ginforge/gateway-client";
import type { PageOptions } from "./page/page.ts";
import { until } from "./processes.ts";

/** Debian's chromium, unless another is named. */
export const executable = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** They keep it from what a test machine has not, and from the network. */
export const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: executable, args: flags });
}

/** The address of the harness page for some options. */
export function harness(pages: string, options: Partial<PageOptions>): string {
  const all = { seconds: 3600, rooms: [], ...options };
  return `${pages}#${encodeURIComponent(JSON.stringify(all))}`;
}

/** A tab with the harness page. */
export class Tab {
  private constructor(readonly page: Page) {}

  /** Opens a tab; tabs of one context are one browser. Waits for the connection unless told not to. */
  static async open(
    context: BrowserContext,
    pages: string,
    options: Partial<PageOptions> & Pick<PageOptions, "url" | "user">,
    wait = true,
  ): Promise<Tab> {
    const tab = new Tab(await context.newPage());
    await tab.page.goto(harness(pages, options));
    await tab.page.waitForFunction(() => "harness" in window);
    if (wait) await tab.connected();
    return tab;
  }

  connected(): Promise<void> {
    return until("the page is connected", async () => (await this.state()) === "connected");
  }

  state(): Promise<string> {
    return this.page.evaluate(() => window.harness.client.state);
  }

  states(): Promise<StateChange[]> {
    return this.page.evaluate(() => window.harness.states);
  }

  frames(): Promise<Frame[]> {
    return this.page.evaluate(() => window.harness.frames);
  }

  /** The contents of the messages in a room, in the order in which they came. */
  async heard(room: string): Promise<unknown[]> {
    return (await this.frames()).filter((frame) => frame.room === room).map(({ content }) => content);
  }

  /** Waits until the page has heard as much as expected, and says what it has heard. */
  async hears(room: string, count: number): Promise<unknown[]> {
    const enough = async (): Promise<boolean> => (await this.heard(room)).length >= count;
    await until(`${count} messages in ${room}`, enough).catch(async (error: unknown) => {
      throw new Error(`${String(error)}; heard ${JSON.stringify(await this.heard(room))}`, { cause: error });
    });
    return this.heard(room);
  }

  /** Waits until all rooms of the page are joined. */
  joined(room: string): Promise<unknown> {
    return this.page.evaluate((name) => window.harness.client.joinRoom(name), room);
  }

  /** Sends, and resolves with the ack. */
  say(room: string, content: unknown): Promise<Frame> {
    return this.page.evaluate(
      ([to, what]) => window.harness.client.sendToRoom(to as string, what),
      [room, content],
    );
  }

  /** Sends, and does not wait. */
  async queue(room: string, content: unknown): Promise<void> {
    await this.page.evaluate(
      ([to, what]) => void window.harness.client.sendToRoom(to as string, what),
      [room, content],
    );
  }
}
