import { expect, test } from "vitest";
import { bytes, short, span } from "../src/numbers.ts";

test.each([
  [0, "0"],
  [0.256, "0.26"],
  [3.14, "3.1"],
  [1234, "1,234"],
  [56_780, "56.8k"],
  [8_900_000, "8.9M"],
  [12e9, "12.0G"],
])("%d is short as %s", (value, text) => expect(short(value)).toBe(text));

test.each([
  [12, "12 B"],
  [1536, "1.5 KiB"],
  [300 << 20, "300 MiB"],
])("%d bytes are %s", (value, text) => expect(bytes(value)).toBe(text));

test.each([
  [62, "1m 2s"],
  [3700, "1h 1m"],
  [90_000, "1d 1h"],
])("%d seconds are %s", (value, text) => expect(span(value)).toBe(text));
