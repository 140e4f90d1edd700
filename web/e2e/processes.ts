import { execFile, spawn, type ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const gatewayBinary = fileURLToPath(new URL("../../bin/gateway", import.meta.url));
const secret = "only-for-the-browser-tests-0123456789";

// Below those that the kernel gives to whoever asks for any.
let nextPort = 12_000 + (process.pid % 2000) * 10;

/** A port that nobody listens on at the moment, and that nobody else is given. */
export async function freePort(): Promise<number> {
  const port = nextPort++;
  const free = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
  return free ? port : freePort();
}

/**
 * How long to wait for what should take a moment, in milliseconds: a busy machine takes a minute
 * for it, and a test that passes does not wait.
 */
export const patience = 60_000;

/** Waits until something holds; fails with what was waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeout = patience,
): Promise<void> {
  const end = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A token that the gateways of these tests accept. */
export function token(user: string, seconds = 3600, username?: string): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ user_id: user, username, iat: now, exp: now + seconds })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** One gateway process, on a port of its own that it keeps over restarts. */
export class Gateway {
  #process: ChildProcess | undefined;
  #output = "";

  private constructor(
    readonly port: number,
    /** Of the internal listener. */
    readonly adminPort: number,
    private readonly redis: string,
    private readonly prefix: string,
    private readonly settings: Record<string, string>,
  ) {}

  /**
   * @param prefix keeps tests on one Redis apart, and makes nodes one system
   * @param settings more of the configuration, by key
   */
  static async start(redis: string, prefix: string, settings: Record<string, string> = {}): Promise<Gateway> {
    const gateway = new Gateway(await freePort(), await freePort(), redis, prefix, settings);
    await gateway.start();
    return gateway;
  }

  async start(): Promise<void> {
    const settings = {
      listen: `127.0.0.1:${this.port}`,
      admin_listen: `127.0.0.1:${this.adminPort}`,
      "jwt.secret": secret,
      "jwt.leeway": "1s",
      "redis.url": this.redis,
      "redis.prefix": this.prefix,
      "engine.origins": "*",
      "namespaces.chat.history.size": "1000",
      "inbox.size": "100",
      reconnect_window: "1s",
      "log.level": "warn",
      ...this.settings,
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const child = spawn(gatewayBinary, ["serve", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    child.stderr.on("data", (data: Buffer) => (this.#output += data.toString()));
    await until("the gateway is ready", async () => {
      if (child.exitCode !== null) throw new Error(`the gateway has ended: ${this.#output}`);
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    });
  }

  /** Publishes as a backend does, on a channel named without the prefix. */
  async publish(channel: string, envelope: object): Promise<void> {
    const flags = ["--redis-url", this.redis, "--set", `redis.prefix=${this.prefix}`];
    await promisify(execFile)(gatewayBinary, ["publish", ...flags, channel, JSON.stringify(envelope)]);
  }

  /** Ends it, by default as a crash would. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }
}
