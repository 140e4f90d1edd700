import { defaultClientConditions, type UserConfig } from "vite";

/**
 * What every page and test of this workspace needs from Vite: the packages of the
 * workspace are read from their sources, so that a change shows at once and nothing has to
 * be built first.
 */
export const workspace = {
  resolve: { conditions: ["source", ...defaultClientConditions] },
} satisfies UserConfig;

/** The same for what runs in Node: unit tests, and the Node side of the browser tests. */
export const inNode = {
  ...workspace,
  ssr: { resolve: { conditions: ["source", "module", "node"], externalConditions: ["source", "node"] } },
} satisfies UserConfig;
