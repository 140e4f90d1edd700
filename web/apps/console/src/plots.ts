import { computed, type ComputedRef, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import { mostFrequent, type History, type Line, type Moment, type Plot } from "./figures.ts";
import { bytes, short } from "./numbers.ts";
import { useWords } from "./words.ts";

const perSecond = (value: number): string => `${bytes(value)}/s`;
const milliseconds = (value: number): string => `${short(value)} ms`;

/** The plots of a console: people, messages, trouble, Redis, the machines; three of each. */
export function usePlots(history: ShallowRef<History>): ComputedRef<Plot[]> {
  const { t } = useI18n();
  const words = useWords();

  /** A line for each of the most frequent causes. */
  function byCause(of: (moment: Moment) => Record<string, number>): Line[] {
    const { causes, rest } = mostFrequent(history.value, of);
    const lines: Line[] = causes.map((cause) => ({
      name: words(cause),
      of: (moment) => of(moment)[cause] ?? 0,
    }));
    if (rest) lines.push({ name: t("plot.others"), of: rest });
    return lines;
  }

  return computed(() => [
    { title: t("plot.connections"), lines: [{ of: (m) => m.connections }] },
    {
      title: t("plot.population"),
      lines: [
        { name: t("sum.users"), of: (m) => m.users },
        { name: t("sum.rooms"), of: (m) => m.rooms },
      ],
    },
    { title: t("plot.handshakes"), lines: [{ of: (m) => m.handshakes }] },
    { title: t("plot.deliveries"), lines: [{ of: (m) => m.deliveries }] },
    { title: t("plot.bytes"), lines: [{ of: (m) => m.bytes }], format: perSecond, binary: true },
    {
      title: t("plot.latency"),
      lines: [
        { name: "p50", of: (m) => m.p50 },
        { name: "p99", of: (m) => m.p99 },
      ],
      format: milliseconds,
    },
    { title: t("plot.refused"), lines: byCause((m) => m.refused), none: t("plot.none") },
    { title: t("plot.closes"), lines: byCause((m) => m.closes), none: t("plot.none") },
    {
      title: t("plot.slow"),
      lines: [
        { name: t("sum.connections"), of: (m) => m.slow },
        { name: t("plot.dropped"), of: (m) => m.dropped },
      ],
    },
    { title: t("plot.roundTrip"), lines: [{ of: (m) => m.roundTrip }], format: milliseconds },
    {
      title: t("plot.redisMessages"),
      lines: [
        { name: t("plot.received"), of: (m) => m.received },
        { name: t("plot.published"), of: (m) => m.published },
      ],
    },
    {
      title: t("plot.redis"),
      lines: [
        { name: t("plot.subscriptions"), of: (m) => m.subscriptions },
        { name: t("plot.queued"), of: (m) => m.queued },
        { name: t("plot.away"), of: (m) => m.away },
      ],
    },
    { title: t("plot.cpu"), lines: [{ of: (m) => m.cpu }] },
    { title: t("plot.memory"), lines: [{ of: (m) => m.memory }], format: bytes, binary: true },
    { title: t("plot.goroutines"), lines: [{ of: (m) => m.goroutines }] },
  ]);
}
