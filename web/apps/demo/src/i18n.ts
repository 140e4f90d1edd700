import { useStorage } from "@vueuse/core";
import { watchEffect } from "vue";
import { createI18n, useI18n } from "vue-i18n";

const en = {
  title: "GinForge gateway",
  slogan: "Browsers that stay connected.",
  login: {
    lead: "Choose a name and come in. Open this page in another browser, or as another user, and talk.",
    name: "Your name",
    enter: "Enter",
    who: "Quick choice",
    failed: "The gateway gave no token: {reason}",
    development: "The gateway hands out tokens to anybody because it runs in development mode.",
  },
  state: {
    connected: "Connected",
    connecting: "Connecting …",
    waiting: "Offline",
    next: "next attempt in",
    seconds: "{seconds} s",
    now: "Try now",
    closed: "Ended",
    idle: "Not connected",
    queued: "{count} waiting",
    on: "on node {node}",
    code: "close code {code}",
    retry: "Connect",
  },
  rooms: {
    title: "Rooms",
    join: "Join a room",
    name: "Room name",
    leave: "Leave {name}",
    lobby: "Lobby",
    coffee: "Coffee",
    help: "Support",
  },
  people: {
    title: "Here now",
    direct: "Direct messages",
    write: "Write to {name}",
    none: "Nobody else is here. Open this page as another user.",
    unknown: "Those who were here when the connection ended.",
    you: "you",
    devices: "{count} devices",
    online: "online",
    offline: "offline",
  },
  chat: {
    placeholder: "Write a message",
    send: "Send",
    empty: "Nothing has been said here yet.",
    history: "What was said before you came was kept for you.",
    lost: "Some messages are lost for good: history does not reach back so far.",
    waiting: "is sent when the connection is back",
    refused: "was not sent: {reason}",
    live: "Messages in {room}",
  },
  bell: {
    title: "Notifications",
    open: "Notifications, {count} unread",
    none: "No notifications. Try one from a terminal.",
    all: "Mark all as read",
    read: "Mark as read",
    clear: "Clear",
    close: "Close",
    follow: "Open",
    waiting: "{count} unread notification | {count} unread notifications",
  },
  tools: {
    menu: "Menu",
    members: "Who is here",
    theme: "Light or dark",
    language: "中文",
    leave: "Log out",
    device: "Open as another device",
    try: "Try it from a terminal",
  },
  tryit: {
    lead: "What a backend does, in any language: it publishes to Redis. Each line reaches this page at once.",
    copied: "Copied",
    copy: "Copy",
    notification: "A notification for you",
    system: "A notice to everybody",
    update: "Data has changed: pages reload their list",
    room: "A message into this room",
  },
  update: {
    title: "{entity} {id} {action}",
    text: "A list that shows it would reload now.",
    actions: { create: "was created", update: "was changed", delete: "was deleted" },
    entities: { user: "User", order: "Order", role: "Role" },
  },
};

const zh: typeof en = {
  title: "GinForge 网关",
  slogan: "浏览器始终在线。",
  login: {
    lead: "取个名字进来吧。用另一个浏览器或另一个用户打开本页，就能互相聊天。",
    name: "你的名字",
    enter: "进入",
    who: "快速选择",
    failed: "网关没有发放令牌：{reason}",
    development: "网关处于开发模式，所以任何人都能得到令牌。",
  },
  state: {
    connected: "已连接",
    connecting: "连接中…",
    waiting: "离线",
    next: "下次重试",
    seconds: "{seconds} 秒后",
    now: "立即重试",
    closed: "已结束",
    idle: "未连接",
    queued: "{count} 条待发送",
    on: "节点 {node}",
    code: "关闭码 {code}",
    retry: "连接",
  },
  rooms: {
    title: "房间",
    join: "加入房间",
    name: "房间名",
    leave: "离开{name}",
    lobby: "大厅",
    coffee: "咖啡角",
    help: "客服",
  },
  people: {
    title: "当前在场",
    direct: "私信",
    write: "给 {name} 写信",
    none: "这里没有别人。用另一个用户打开本页试试。",
    unknown: "连接断开时在场的人。",
    you: "你",
    devices: "{count} 台设备",
    online: "在线",
    offline: "离线",
  },
  chat: {
    placeholder: "输入消息",
    send: "发送",
    empty: "这里还没有消息。",
    history: "你来之前的消息已为你保留。",
    lost: "有些消息永久丢失：历史记录不够久远。",
    waiting: "恢复连接后发送",
    refused: "未发送：{reason}",
    live: "{room} 的消息",
  },
  bell: {
    title: "通知",
    open: "通知，{count} 条未读",
    none: "没有通知。可以在终端里试发一条。",
    all: "全部标为已读",
    read: "标为已读",
    clear: "清空",
    close: "关闭",
    follow: "打开",
    waiting: "{count} 条未读通知",
  },
  tools: {
    menu: "菜单",
    members: "谁在这里",
    theme: "浅色或深色",
    language: "English",
    leave: "退出",
    device: "以另一台设备打开",
    try: "在终端里试试",
  },
  tryit: {
    lead: "后端用任何语言都能这样做：发布到 Redis。每一行都会立刻到达本页。",
    copied: "已复制",
    copy: "复制",
    notification: "给你的一条通知",
    system: "给所有人的公告",
    update: "数据有变化：页面重新加载列表",
    room: "发到当前房间的消息",
  },
  update: {
    title: "{entity} {id} {action}",
    text: "显示它的列表会立即重新加载。",
    actions: { create: "已创建", update: "已修改", delete: "已删除" },
    entities: { user: "用户", order: "订单", role: "角色" },
  },
};

/** The language, kept by the browser; at first that of the browser. */
export const locale = useStorage<"en" | "zh">(
  "demo-locale",
  navigator.language.startsWith("zh") ? "zh" : "en",
);

export const i18n = createI18n({
  legacy: false,
  locale: locale.value,
  fallbackLocale: "en",
  messages: { en, zh },
});

watchEffect(() => {
  i18n.global.locale.value = locale.value;
  document.documentElement.lang = locale.value === "zh" ? "zh-CN" : "en";
  document.title = i18n.global.t("title");
});

const named: Record<string, string> = {
  "chat:lobby": "rooms.lobby",
  "chat:coffee": "rooms.coffee",
  "chat:help": "rooms.help",
};

/** What a room is called: in words if it is one of those that everybody has, else as one has typed it. */
export function useRoomName(): (room: string) => string {
  const { t } = useI18n();
  return (room) => (named[room] ? t(named[room]) : room.replace(/^chat:/, ""));
}
