import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { freePort, gatewayBinary, until } from "./processes.ts";
import { servePages } from "./pages.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the one Redis of all tests is. */
    redis: string;
    /** Where the harness page is. */
    pages: string;
  }
}

/** Starts what all browser tests share: a Redis, and the server of the harness page. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(gatewayBinary)) throw new Error(`${gatewayBinary} is missing: run make build`);
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), "gateway-e2e-"));
  const redis = spawn("redis-server", ["--port", String(port), "--save", "", "--dir", dir], {
    stdio: "ignore",
  });
  const pages = await servePages();
  await until("Redis listens", () => connects(port));
  project.provide("redis", `redis://127.0.0.1:${port}`);
  project.provide("pages", pages.url);
  return async () => {
    redis.kill();
    await pages.close();
    rmSync(dir, { recursive: true, force: true });
  };
}

async function connects(port: number): Promise<boolean> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
