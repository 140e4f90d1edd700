import "element-plus/theme-chalk/dark/css-vars.css";
import "element-plus/es/components/message/style/css";
import "../../../shared/theme.css";
import "./style.css";
import { createApp } from "vue";
import App from "./App.vue";
import { i18n } from "./i18n.ts";

createApp(App).use(i18n).mount("#app");
