import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import { workspace } from "../vite.shared.ts";
import { token } from "./processes.ts";

/** Serves the harness page, with the packages from their sources, and tokens at /token?user=&seconds=&name=. */
export async function servePages(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = await createServer({
    ...workspace,
    configFile: false,
    root: fileURLToPath(new URL("page", import.meta.url)),
    cacheDir: fileURLToPath(new URL("../node_modules/.cache/e2e", import.meta.url)),
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null, fs: { strict: false } },
    plugins: [
      {
        name: "tokens",
        configureServer({ middlewares }) {
          middlewares.use("/token", (request, response) => {
            const { searchParams } = new URL(request.url ?? "", "http://tokens");
            const name = searchParams.get("name") ?? undefined;
            response.end(token(searchParams.get("user") ?? "", Number(searchParams.get("seconds")), name));
          });
        },
      },
    ],
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0];
  if (!url) throw new Error("the page is not served");
  return { url, close: () => server.close() };
}
