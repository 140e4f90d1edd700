// The client bundled and minified as an application's bundler would, and compressed as a
// server would: what a page pays for it, at once and for what is loaded when an option asks for
// it. Fails when a part outgrows its limit. --list names the modules of each.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

/** When what is loaded, and how large it may be gzipped, by the name of the chunk. */
const parts = new Map([
  ["index", { when: "at once", limit: 6 * 1024 }],
  ["store", { when: "with queue.persist", limit: 768 }],
  ["tabs", { when: "with shared", limit: 2 * 1024 }],
]);

const bundle = await rolldown({
  input: fileURLToPath(new URL("../packages/client/dist/index.js", import.meta.url)),
  platform: "browser",
  preserveEntrySignatures: "allow-extension",
});
const { output } = await bundle.generate({ format: "es", minify: true, comments: false });

for (const { name, code, moduleIds } of output.filter((chunk) => chunk.type === "chunk")) {
  const part = parts.get(name);
  if (!part) throw new Error(`when is this loaded: ${moduleIds.join(" ")}`);
  const { when, limit } = part;
  const gzipped = gzipSync(code, { level: 9 }).length;
  console.log(`@ginforge/gateway-client, ${when}: ${gzipped} bytes of ${limit} (${code.length} before gzip)`);
  if (process.argv.includes("--list")) console.log(moduleIds);
  if (gzipped > limit) process.exitCode = 1;
}
