import type { GatewayClient } from "@ginforge/gateway-client";
import { ElMessage, ElNotification } from "element-plus";
import { onScopeDispose } from "vue";
import { useI18n } from "vue-i18n";

const levels = ["success", "warning", "error", "info"] as const;

/** Shows what backends tell everybody: notices as banners, changed data as toasts. */
export function useNotices(client: GatewayClient): void {
  const { t } = useI18n();
  const ends = [
    client.on("system", ({ content }) => {
      if (!content) return;
      const type = levels.find((level) => level === content.level) ?? "info";
      ElMessage({ message: content.message, type, duration: 8000, showClose: true });
    }),
    client.on("data_update", ({ content }) => {
      if (!content) return;
      ElNotification({
        title: t("update.title", { entity: content.entity, action: content.action }),
        message: t("update.text", { entity: content.entity, id: content.id }),
        type: "info",
        position: "bottom-right",
      });
    }),
    client.on("notification", ({ content, data }) => {
      if (!content || data?.read) return;
      ElNotification({
        title: content.title,
        message: content.body ?? "",
        type: "success",
        position: "top-right",
        offset: 48,
      });
    }),
  ];
  onScopeDispose(() => ends.forEach((end) => end()));
}
