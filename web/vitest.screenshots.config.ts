import { defineConfig, mergeConfig } from "vitest/config";
import { inNode } from "./vite.shared.ts";

// The pictures in docs/, taken as the browser tests are run.
export default mergeConfig(
  inNode,
  defineConfig({
    test: { include: ["e2e/screenshots.ts"], globalSetup: "e2e/setup.ts", testTimeout: 60_000 },
  }),
);
