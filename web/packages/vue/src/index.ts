export { GatewayClient } from "@ginforge/gateway-client";
