import type { BrowserContext, Locator, Page } from "playwright-core";
import type { Gateway } from "./processes.ts";

/** The key of the internal API in these tests. */
export const apiKey = "the-console-tests-call-with-this-key";

/** What a gateway needs for the console's tests. */
export const consoleSettings = { "admin.api_keys": apiKey, "engine.origins": "https://app.example.com" };

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
    await this.page.getByText(text).first().waitFor({ timeout: 20_000 });
  }

  /** One of the numbers at the top. */
  async number(name: string): Promise<string> {
    return this.page.locator(".sums > div", { hasText: name }).locator("dd").innerText();
  }

  /** The row of a node. */
  row(node: string): Locator {
    return this.page.locator("tbody tr", { hasText: node });
  }

  async find(user: string): Promise<void> {
    const box = this.page.getByLabel("A user's id");
    await box.fill(user);
    await box.press("Enter");
  }

  /** The trace, a line for each event. */
  async trace(): Promise<string[]> {
    const lines = await this.page.locator(".trace li").allInnerTexts();
    return lines.map((line) => line.replace(/\s+/g, " "));
  }
}
