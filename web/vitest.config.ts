import { defineConfig, mergeConfig } from "vitest/config";
import { inNode } from "./vite.shared.ts";

// Unit tests: packages/*/test and apps/*/test, in Node, with fake timers and fake sockets.
export default mergeConfig(
  inNode,
  defineConfig({
    test: {
      include: ["{packages,apps}/*/test/**/*.test.ts"],
      testTimeout: 30_000, // on a busy machine; none takes a second
      restoreMocks: true,
      unstubGlobals: true,
    },
  }),
);
