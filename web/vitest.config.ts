import { defineConfig, mergeConfig } from "vitest/config";
import { workspace } from "./vite.shared.ts";

// Unit tests: packages/*/test and apps/*/test, in Node, with fake timers and fake sockets.
export default mergeConfig(
  workspace,
  defineConfig({
    ssr: { resolve: { conditions: ["source", "module", "node"], externalConditions: ["source", "node"] } },
    test: {
      include: ["{packages,apps}/*/test/**/*.test.ts"],
      restoreMocks: true,
      unstubGlobals: true,
    },
  }),
);
