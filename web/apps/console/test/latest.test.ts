import { expect, test } from "vitest";
import { Latest } from "../src/latest.ts";

test("what is begun takes the place of all before, and what joins goes with it", () => {
  const searches = new Latest();
  const early = searches.join();
  const first = searches.begin();
  const look = searches.join();
  expect([early(), first(), look()]).toEqual([false, true, true]);
  const second = searches.begin();
  expect([early(), first(), look(), second()]).toEqual([false, false, false, true]);
});

test("panels do not take each other's place", () => {
  const one = new Latest();
  const current = one.begin();
  new Latest().begin();
  expect(current()).toBe(true);
});
