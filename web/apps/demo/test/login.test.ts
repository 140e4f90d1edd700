import { describe, expect, test, vi } from "vitest";
import { addressOf, fetchToken, loginOf, userOf, type Login } from "../src/login.ts";

const page = "https://gw.test/app/";

describe("the address", () => {
  test.each<[string, Login | undefined]>([
    ["", undefined],
    ["?name=%20", undefined],
    ["?name=Ann%20Lee", { user: "ann-lee", name: "Ann Lee", device: undefined }],
    ["?user=u7", { user: "u7", name: "u7", device: undefined }],
    ["?user=u7&name=Ann&device=phone", { user: "u7", name: "Ann", device: "phone" }],
    ["?name=李雷", { user: "李雷", name: "李雷", device: undefined }],
  ])("%s says who uses the page", (query, login) => {
    expect(loginOf(new URL(page + query))).toEqual(login);
  });

  test("brings the same user back, on the same device", () => {
    const login = { user: "ann-lee", name: "Ann Lee & co", device: "phone" };
    expect(loginOf(addressOf(login, new URL(`${page}?user=bob&room=old`)))).toEqual(login);
  });

  test("names nobody once the user has left", () => {
    expect(addressOf(undefined, new URL(`${page}?user=ann&name=Ann`)).href).toBe(page);
  });
});

test("a user's id has bounds and no blanks", () => {
  expect(userOf("  Ann   Lee ")).toBe("ann-lee");
  expect(userOf("x".repeat(100))).toHaveLength(64);
});

describe("a token", () => {
  const login: Login = { user: "a&b", name: "Ann Lee", device: undefined };

  test("is what the gateway gives for the user and the name", async () => {
    const fetched = vi.fn<typeof fetch>(() =>
      Promise.resolve(new Response(`{"message":"success","data":{"token":"t1"}}`)),
    );
    vi.stubGlobal("fetch", fetched);
    await expect(fetchToken(login)).resolves.toBe("t1");
    expect(fetched).toHaveBeenCalledWith("dev/token?user=a%26b&name=Ann+Lee");
  });

  test("that is refused says why", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(`{"message":"user is too long"}`)));
    await expect(fetchToken(login)).rejects.toThrow("user is too long");
  });
});
