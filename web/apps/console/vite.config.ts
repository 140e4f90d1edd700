import vue from "@vitejs/plugin-vue";
import { ElementPlusResolver } from "unplugin-vue-components/resolvers";
import components from "unplugin-vue-components/vite";
import { defineConfig, mergeConfig } from "vite";
import { workspace } from "../../vite.shared.ts";

/** Where `npm run dev` finds the internal listener of a gateway. */
const gateway = process.env["GATEWAY_URL"] ?? "http://127.0.0.1:8088";

export default mergeConfig(
  workspace,
  defineConfig({
    base: "./",
    plugins: [vue(), components({ dts: false, dirs: [], resolvers: [ElementPlusResolver()] })],
    build: {
      // cmd/gateway embeds what is here; it is committed.
      outDir: "../../dist/console",
      emptyOutDir: true,
      target: "es2022",
      chunkSizeWarningLimit: 800,
      rolldownOptions: {
        output: { entryFileNames: "assets/[name]-[hash].js", chunkFileNames: "assets/[name]-[hash].js" },
      },
    },
    server: { proxy: { "/api": gateway } },
  }),
);
