import type { Frame } from "@ginforge/gateway-client";
import { shallowRef } from "vue";

/** One line of a conversation. */
export interface Line {
  key: string;
  from: string;
  name: string;
  text: string;
  /** Unix seconds. */
  time: number | undefined;
  mine: boolean;
  /** It has not reached the gateway yet, or never will. */
  sending?: "waiting" | "refused";
  reason?: string;
}

/** What one says: the content of room and user messages of this page. */
export interface Said {
  text: string;
  /** With a user message that goes to one's own devices: whom it was written to. */
  peer?: string;
  /** The id under which the sender's page already shows it. */
  line?: string;
}

/** The text of a message, whatever sent it. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  const text = (content as { text?: unknown } | undefined)?.text;
  return typeof text === "string" ? text : JSON.stringify(content ?? null);
}

/** The line for a message that has come. */
export function lineOf(frame: Frame, me: string): Line {
  const from = frame.from ?? "";
  return {
    key: frame.id ?? `${frame.room ?? "inbox"} ${frame.offset ?? Math.random()}`,
    from,
    name: frame.from_name ?? from,
    text: textOf(frame.content),
    time: frame.timestamp,
    mine: from === me,
  };
}

const now = (): number => Math.floor(Date.now() / 1000);

/** Sends, and shows each line in its place until it comes back, with what became of it. */
export function useSending(me: { user: string; name: string }) {
  const lines = shallowRef<readonly (Line & { place: string })[]>([]);
  const change = (key: string, to: Partial<Line> | undefined): void => {
    if (!lines.value.some((line) => line.key === key)) return;
    lines.value = lines.value.flatMap((line) => (line.key !== key ? [line] : to ? [{ ...line, ...to }] : []));
  };
  return {
    /** What is on its way to a room or a user. */
    of: (place: string): readonly Line[] => lines.value.filter((line) => line.place === place),
    /** These have come back: the page shows those instead. */
    arrived: (all: readonly Line[]) => all.forEach(({ key, mine }) => mine && change(key, undefined)),
    send: (place: string, text: string, transmit: (id: string) => Promise<unknown>): void => {
      const key = crypto.randomUUID();
      const own = { key, from: me.user, name: me.name, text, time: now(), mine: true };
      lines.value = [...lines.value, { ...own, place, sending: "waiting" }];
      transmit(key).catch((error: unknown) =>
        change(key, { sending: "refused", reason: (error as Error).message }),
      );
    },
  };
}
