import type { BrowserContext, Locator, Page } from "playwright-core";
import { barriers, still } from "./inspect.ts";
import { patience, type Gateway } from "./processes.ts";

/** What the demo page needs of its gateway. */
export const demoSettings = { development: "true", "namespaces.chat.presence": "true" };

/** A person at the demo page. */
export class Visitor {
  private constructor(
    readonly page: Page,
    /** What the page has complained of. */
    readonly complaints: string[],
    /** What it has sent. */
    readonly sent: string[],
  ) {}

  /** Opens the page for a user, or for nobody. */
  static async open(
    context: BrowserContext,
    gateway: Gateway,
    name?: string,
    device?: string,
  ): Promise<Visitor> {
    const page = await context.newPage();
    const complaints: string[] = [];
    const sent: string[] = [];
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(String(payload))));
    page.on("pageerror", (error) => complaints.push(error.message));
    const query = new URLSearchParams({ ...(name && { name }), ...(device && { device }) });
    await page.goto(`http://127.0.0.1:${gateway.port}/?${query.toString()}`);
    const visitor = new Visitor(page, complaints, sent);
    if (name) await visitor.sees("Connected");
    return visitor;
  }

  text(text: string): Locator {
    return this.page.getByText(text, { exact: true });
  }

  async sees(text: string): Promise<void> {
    await this.text(text).first().waitFor({ timeout: patience });
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name });
  }

  /** Somebody in the list of those who are in the room. */
  member(name: string): Locator {
    return this.page.getByRole("complementary").getByRole("button", { name });
  }

  still(): Promise<void> {
    return still(this.page);
  }

  get composer(): Locator {
    return this.page.getByPlaceholder("Write a message");
  }

  /** Writes into the conversation that is open. */
  async write(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press("Enter");
    await this.sees(text);
  }

  /** The lines of the conversation that is open. */
  lines(): Promise<string[]> {
    return this.page.locator(".bubble").allTextContents();
  }

  /** What axe-core finds wrong with the page as it is that would keep somebody out. */
  barriers(): Promise<string[]> {
    return barriers(this.page);
  }
}
