import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const top = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(new URL("../../../../docs/USE-CASES.md", import.meta.url), "utf8");

/** The snippets of the page, each as a module of its own, as TypeScript sees them. */
function modules(): Map<string, string> {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
  return new Map(
    blocks.map((code, i) => {
      if (code.startsWith("// shared")) return ["shared.ts", code];
      const uses = code.startsWith("// vue") ? "" : 'import { gateway } from "./shared.js";\n';
      return [`snippet${i}.ts`, `${uses}${code}\nexport {};\n`];
    }),
  );
}

test("the snippets of docs/USE-CASES.md are valid TypeScript", { timeout: 120_000 }, () => {
  const all = modules();
  expect(all.size).toBeGreaterThan(7);
  // Within the workspace, so that its packages are found.
  const dir = `${top}.docs-snippets`;
  mkdirSync(dir, { recursive: true });
  try {
    for (const [name, code] of all) writeFileSync(`${dir}/${name}`, code);
    writeFileSync(
      `${dir}/tsconfig.json`,
      JSON.stringify({ extends: "../tsconfig.base.json", compilerOptions: { noUnusedLocals: false } }),
    );
    const run = (): unknown =>
      execFileSync(`${top}node_modules/.bin/tsc`, ["-p", dir], { encoding: "utf8", stdio: "pipe" });
    try {
      run();
    } catch (error) {
      expect.fail((error as { stdout: string }).stdout);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
