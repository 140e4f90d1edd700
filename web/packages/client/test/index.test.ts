import { protocolVersion } from "@ginforge/gateway-client";
import { expect, test } from "vitest";

test("the client speaks protocol 1", () => {
  expect(protocolVersion).toBe(1);
});
