// The client bundled and minified as an application's bundler would, and compressed as a
// server would: what a page pays for it. Fails when it outgrows its limit. What is loaded
// only when it is asked for has a limit of its own. --list names the chunks.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const limits = { client: 6 * 1024, "on demand": 3 * 1024 };

const bundle = await rolldown({
  input: fileURLToPath(new URL("../packages/client/dist/index.js", import.meta.url)),
  platform: "browser",
  preserveEntrySignatures: "allow-extension",
});
const { output } = await bundle.generate({ format: "es", minify: true });
const chunks = output.filter((chunk) => chunk.type === "chunk");
if (process.argv.includes("--list")) {
  for (const { fileName, code, moduleIds } of chunks) console.log(fileName, code.length, moduleIds);
}

/** What a page loads at once: the entry and what it imports. */
const atOnce = new Set(chunks.filter((chunk) => chunk.isEntry).map((chunk) => chunk.fileName));
for (const file of atOnce) {
  for (const imported of chunks.find((chunk) => chunk.fileName === file)?.imports ?? []) atOnce.add(imported);
}

for (const [name, limit] of Object.entries(limits)) {
  const part = chunks.filter((chunk) => atOnce.has(chunk.fileName) === (name === "client"));
  const minified = part.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0);
  const gzipped = part.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0);
  console.log(
    `@ginforge/gateway-client, ${name}: ${gzipped} bytes gzipped of ${limit} (${minified} minified)`,
  );
  if (gzipped > limit) process.exitCode = 1;
}
