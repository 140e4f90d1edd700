import { describe, expect, test } from "vitest";
import { messages } from "../src/messages.ts";

/** What the gateway counts by cause; see session/stats.go, session/refusal.go, engine/class.go and docs/PROTOCOL.md. */
const causes = [
  ..."bad_token expired revoked over_capacity draining bad_request node_rate in_flight ip_connections ip_rate".split(
    " ",
  ),
  ..."user_rate must_refused must_gone latest_superseded latest_refused latest_gone drop_expired drop_evicted".split(
    " ",
  ),
  ..."drop_refused drop_gone 4001 4003 4005 4008 4009 4010 4100 4101 4102 4200 4201 4203 4300 4301 1002 1003".split(
    " ",
  ),
  ..."1007 1009 1011 other".split(" "),
];

describe.each(Object.entries(messages))("in %s", (_locale, { cause }) => {
  test("there are words for every cause", () => {
    expect(causes.filter((name) => !(name in cause))).toEqual([]);
  });
});
