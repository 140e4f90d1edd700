export { createGateway, useGateway, type Gateway, type GatewayPlugin } from "./gateway.js";
export { useNotifications, type NotificationItem, type Notifications } from "./notifications.js";
export { usePresence, type Presence } from "./presence.js";
export { useRoom, type RoomHandle, type RoomOptions } from "./room.js";
export { createGatewayStore, useGatewayStore, type GatewayStore, type StoreOptions } from "./store.js";
