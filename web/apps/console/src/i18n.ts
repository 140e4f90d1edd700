import { useStorage } from "@vueuse/core";
import { watchEffect } from "vue";
import { createI18n } from "vue-i18n";
import { messages } from "./messages.ts";

/** The language, kept by the browser; at first that of the browser. */
export const locale = useStorage<"en" | "zh">(
  "console-locale",
  navigator.language.startsWith("zh") ? "zh" : "en",
);

export const i18n = createI18n({
  legacy: false,
  locale: locale.value,
  fallbackLocale: "en",
  messages,
});

watchEffect(() => {
  i18n.global.locale.value = locale.value;
  document.documentElement.lang = locale.value === "zh" ? "zh-CN" : "en";
  document.title = i18n.global.t("title");
});
