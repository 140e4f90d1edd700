import { describe, expect, test, vi } from "vitest";
import { backoff, ended, retry } from "../src/schedule.js";

describe("retry", () => {
  test.each([4000, 4001, 4003, 4005, 4008, 4009, 4010, 4099])("stops after %i", (code) => {
    expect(retry({ code, reason: "", delay: 10 }, 0, 5000)).toBeUndefined();
  });

  test.each([4100, 4101, 4102, 4200, 4203])(
    "comes back after %i when the server said, not earlier",
    (code) => {
      expect(retry({ code, reason: "", delay: 7123 }, 3, 5000)).toEqual({
        delay: 7123,
        fresh: false,
        firm: true,
      });
    },
  );

  test.each([4300, 4301, 4399])("wants a fresh token after %i, and comes back at once", (code) => {
    expect(retry({ code, reason: "" }, 0, 5000)).toEqual({ delay: 0, fresh: true, firm: false });
  });

  test("backs off when fresh tokens are refused too", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    expect(retry({ code: 4300, reason: "" }, 3, 5000)).toMatchObject({ delay: 7992, fresh: true });
  });

  test.each([1001, 1006, 1011, 4200, 4201])(
    "spreads the first attempts after %i evenly over the window",
    (code) => {
      const window = 8000;
      const counts = new Array<number>(8).fill(0);
      const rounds = 8000;
      for (let i = 0; i < rounds; i++) {
        const { delay = -1 } = retry({ code, reason: "" }, 0, window) ?? {};
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThan(window);
        const bucket = Math.floor(delay / 1000);
        counts[bucket] = (counts[bucket] ?? 0) + 1;
      }
      // Chi-squared with 7 degrees of freedom: 35 is exceeded once in 100,000 runs.
      const expected = rounds / 8;
      const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chi).toBeLessThan(35);
    },
  );

  test("then doubles, with full jitter, up to a minute", () => {
    const random = vi.spyOn(Math, "random");
    const bounds = [1, 2, 3, 4, 5, 6, 7, 20].map((attempt) => {
      random.mockReturnValue(0);
      expect(retry({ code: 1006, reason: "" }, attempt, 5000)?.delay).toBe(0);
      random.mockReturnValue(1);
      return retry({ code: 1006, reason: "" }, attempt, 5000)?.delay;
    });
    expect(bounds).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("does not wait when the page has just woken up", () => {
    expect(retry({ code: 1006, reason: "", awake: true }, 0, 5000)?.delay).toBe(0);
  });

  test("backs off from a busy node that gives no delay", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    expect(retry({ code: 4100, reason: "" }, 0, 5000)).toMatchObject({ delay: 1000, firm: false });
  });

  test("has a mean of half the bound", () => {
    let sum = 0;
    for (let i = 0; i < 4000; i++) sum += backoff(3);
    expect(sum / 4000).toBeGreaterThan(3700);
    expect(sum / 4000).toBeLessThan(4300);
  });
});

describe("ended", () => {
  test("reads the delay from the reason", () => {
    expect(ended(4200, '{"reason":"draining","delay_ms":4009}')).toEqual({
      code: 4200,
      reason: "draining",
      delay: 4009,
    });
  });

  test.each(["", "going away", "{", "null", "7"])("takes %j for a sentence", (text) => {
    const { code, delay } = ended(1001, text);
    expect([code, delay]).toEqual([1001, undefined]);
  });
});
