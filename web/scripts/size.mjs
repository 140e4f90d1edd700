// The client bundled and minified as an application's bundler would, and compressed as a
// server would: what a page pays for it. Fails when it outgrows its limit.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const limit = 6 * 1024;

const result = await build({
  configFile: false,
  logLevel: "warn",
  root: fileURLToPath(new URL("../packages/client", import.meta.url)),
  build: {
    write: false,
    minify: true,
    target: "es2022",
    lib: { entry: "dist/index.js", formats: ["es"] },
    // A library build keeps whitespace for tree shaking; an application's does not.
    rolldownOptions: { output: { minify: true } },
  },
});

const outputs = Array.isArray(result) ? result : [result];
let minified = 0;
let compressed = 0;
for (const output of outputs) {
  if (!("output" in output)) throw new Error("vite is watching");
  for (const chunk of output.output) {
    if (chunk.type !== "chunk") continue;
    minified += chunk.code.length;
    compressed += gzipSync(chunk.code, { level: 9 }).length;
  }
}

console.log(`@ginforge/gateway-client: ${minified} bytes minified, ${compressed} gzipped (limit ${limit})`);
if (compressed > limit) process.exitCode = 1;
