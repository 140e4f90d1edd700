import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { executable, flags } from "./browser.ts";

interface Answer {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/**
 * A window of Chromium with tabs of which only one is in front, so that the others are hidden as
 * they are for a user. Playwright cannot do that: it keeps every page visible and in focus.
 */
export class Window {
  #last = 0;
  readonly #answers = new Map<number, (answer: Answer) => void>();

  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
    private readonly socket: WebSocket,
  ) {
    socket.on("message", (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer;
      this.#answers.get(answer.id ?? 0)?.(answer);
      this.#answers.delete(answer.id ?? 0);
    });
  }

  static async open(): Promise<Window> {
    const profile = mkdtempSync(join(tmpdir(), "gateway-window-"));
    const own = ["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
    const process = spawn(executable, [...flags, ...own, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const url = await new Promise<string>((resolve, reject) => {
      let output = "";
      process.on("exit", () => reject(new Error(`chromium has ended: ${output}`)));
      process.stderr.on("data", (data: Buffer) => {
        output += data.toString();
        const found = /DevTools listening on (\S+)/.exec(output)?.[1];
        if (found) resolve(found);
      });
    });
    const socket = new WebSocket(url);
    await new Promise((resolve) => socket.once("open", resolve));
    return new Window(process, profile, socket);
  }

  /** Opens a page in a tab, in front of the others. */
  async tab(url: string): Promise<WindowTab> {
    const { targetId } = await this.ask("Target.createTarget", { url });
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    return new WindowTab(this, targetId as string, sessionId as string);
  }

  /** Gives a command of the DevTools protocol, to the browser or to a tab. */
  async ask(method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const { result, error } = await new Promise<Answer>((resolve) => {
      this.#answers.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
    if (!result) throw new Error(`${method}: ${error?.message}`);
    return result;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    await this.ask("Browser.close", {});
    await ended;
    // Its helpers may still be writing.
    await rm(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

export class WindowTab {
  constructor(
    private readonly window: Window,
    private readonly target: string,
    private readonly session: string,
  ) {}

  /** Brings it to the front. */
  async show(): Promise<void> {
    await this.window.ask("Target.activateTarget", { targetId: this.target });
  }

  /** What an expression is worth in the page. */
  async value(expression: string): Promise<unknown> {
    const asked = { expression, returnByValue: true, awaitPromise: true };
    const { result } = await this.window.ask("Runtime.evaluate", asked, this.session);
    return (result as { value?: unknown }).value;
  }
}
