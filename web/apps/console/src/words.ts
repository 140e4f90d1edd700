import { useI18n } from "vue-i18n";

/** Says what causes mean, in the language of the page: codes and names alone are for machines. */
export function useWords(): (cause: string) => string {
  const i18n = useI18n();
  return (cause) => {
    const key = `cause.${cause}`;
    if (!i18n.te(key, "en")) return cause.replaceAll("_", " ");
    return /^\d+$/.test(cause) ? `${cause} ${i18n.t(key)}` : i18n.t(key);
  };
}
