import { defineConfig, mergeConfig } from "vitest/config";
import { inNode } from "./vite.shared.ts";

// Browser tests: Chromium against real gateways and a real Redis. They need bin/gateway.
export default mergeConfig(
  inNode,
  defineConfig({
    test: {
      include: ["e2e/**/*.test.ts"],
      globalSetup: "e2e/setup.ts",
      fileParallelism: false,
      maxConcurrency: 3,
      testTimeout: 180_000, // on a busy machine; most take ten seconds
      hookTimeout: 120_000,
    },
  }),
);
