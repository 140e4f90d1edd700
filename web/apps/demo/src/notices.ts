import type { GatewayClient } from "@ginforge/gateway-client";
import { onScopeDispose, shallowRef, type Ref } from "vue";
import { useI18n } from "vue-i18n";

const levels = ["success", "warning", "error", "info"] as const;

/** What a backend tells everybody: it stays until it is closed. */
export interface Notice {
  key: number;
  text: string;
  level: (typeof levels)[number];
  /** Unix seconds. */
  time: number;
}

/** What is shown for a moment. */
export interface Toast {
  key: number;
  title: string;
  text: string;
  icon: string | undefined;
}

/** How many are shown at a time, and how many notices are kept. */
const maxShown = 3;
const maxKept = 20;
/** How long a toast stays, in milliseconds. */
const stay = 6_000;
/** What waited in the inbox comes without longer pauses, in milliseconds. */
const settle = 400;

/**
 * What comes unasked: notices to everybody as banners, notifications and changed data as toasts.
 * Of what has waited in the inbox, and is repeated with every visit until it is read, there is one
 * toast with the number.
 */
export function useNotices(client: GatewayClient, unread: () => number) {
  const i18n = useI18n();
  const { t } = i18n;
  const notices = shallowRef<readonly Notice[]>([]);
  const banners = shallowRef<readonly Notice[]>([]);
  const toasts = shallowRef<readonly Toast[]>([]);
  let last = 0;
  let waited: ReturnType<typeof setTimeout> | undefined;

  const dismiss = (key: number): void => {
    banners.value = banners.value.filter((notice) => notice.key !== key);
    toasts.value = toasts.value.filter((toast) => toast.key !== key);
  };
  const toast = (title: string, text: string, icon?: string): void => {
    const key = ++last;
    toasts.value = [...toasts.value.slice(1 - maxShown), { key, title, text, icon }];
    setTimeout(() => dismiss(key), stay);
  };
  const word = (group: string, name: string): string =>
    i18n.te(`update.${group}.${name}`) ? t(`update.${group}.${name}`) : name;

  const ends = [
    client.on("system", ({ content, timestamp }) => {
      if (!content) return;
      const level = levels.find((known) => known === content.level) ?? "info";
      const notice = { key: ++last, text: content.message, level, time: timestamp ?? Date.now() / 1000 };
      notices.value = [notice, ...notices.value].slice(0, maxKept);
      banners.value = [...banners.value.slice(1 - maxShown), notice];
    }),
    client.on("data_update", ({ content }) => {
      if (!content) return;
      const { entity, action, id } = content;
      const what = { entity: word("entities", entity), action: word("actions", action), id };
      toast(t("update.title", what), t("update.text"), "Refresh");
    }),
    client.on("notification", ({ content, data, offset }) => {
      if (!content || data?.read) return;
      if (offset === undefined || offset > (client.session?.inbox?.offset ?? 0)) {
        toast(content.title, content.body ?? "", content.icon ?? "Bell");
        return;
      }
      clearTimeout(waited);
      waited = setTimeout(() => {
        if (unread() > 0) toast(t("bell.waiting", unread()), "", "Bell");
      }, settle);
    }),
  ];
  onScopeDispose(() => {
    ends.forEach((end) => end());
    clearTimeout(waited);
  });
  return {
    /** The latest, newest first, whether they are still shown or not. */
    notices: notices as Readonly<Ref<readonly Notice[]>>,
    banners: banners as Readonly<Ref<readonly Notice[]>>,
    toasts: toasts as Readonly<Ref<readonly Toast[]>>,
    dismiss,
  };
}
