import { afterEach, describe, expect, test, vi } from "vitest";
import { Api, ApiError } from "../src/api.ts";

/** Has fetch answer, and returns what it was called with. */
function answers(status: number, body: string): ReturnType<typeof vi.fn<typeof fetch>> {
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response(body, { status })));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

afterEach(() => vi.unstubAllGlobals());

describe("the internal API", () => {
  test("is called with the key, and names in paths are escaped", async () => {
    const fetched = answers(200, `{"code":0,"message":"success","data":{"devices":[]}}`);
    await expect(new Api("secret").devices("a/b c")).resolves.toEqual({ devices: [] });
    const [path, { headers }] = fetched.mock.calls[0] as [string, { headers: Record<string, string> }];
    expect(path).toBe("/api/v1/users/a%2Fb%20c/devices");
    expect(headers["X-API-Key"]).toBe("secret");
  });

  test("finds users by the beginning of their ids", async () => {
    const fetched = answers(
      200,
      `{"data":{"users":[{"user_id":"ann2"},{"user_id":"anne"},{"user_id":"bob"}]}}`,
    );
    const found = await new Api("k").users("ann");
    expect(found.map(({ user_id }) => user_id)).toEqual(["ann2", "anne"]);
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/users?after=ann&limit=20");
  });

  test("is called without a key where none is given", async () => {
    const fetched = answers(200, `{"data":{"url":"ws://x/ws","token":"t"}}`);
    await new Api("").console();
    expect(fetched.mock.calls[0]?.[1]?.headers).not.toHaveProperty("X-API-Key");
  });

  test.each([
    [401, `{"code":401,"message":"wrong key"}`, "wrong key", true],
    [
      503,
      `{"code":503,"message":"Redis is not available: try again"}`,
      "Redis is not available: try again",
      false,
    ],
    [502, "<html>", "", false],
  ])("says why not: %d", async (status, body, message, wantsKey) => {
    answers(status, body);
    const error = await new Api("k").drain("n1").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status, message, wantsKey });
  });
});
