// The package brings no types; these are those that the tests use.
declare module "ws" {
  export const WebSocket: any;
  export const WebSocketServer: any;
}
