import { mergeConfig } from "vitest/config";
import e2e from "./vitest.e2e.config.ts";

// The pictures in docs/, taken as the browser tests are.
const config = mergeConfig(e2e, {});
config.test.include = ["e2e/screenshots.ts"]; // merging would add to it
export default config;
