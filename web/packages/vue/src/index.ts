export { protocolVersion } from "@ginforge/gateway-client";
