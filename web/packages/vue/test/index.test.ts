import { protocolVersion } from "@ginforge/gateway-vue";
import { expect, test } from "vitest";

test("the client speaks protocol 1", () => {
  expect(protocolVersion).toBe(1);
});
