// Follows a meeting of the real server until its key is refused, and prints each event in a line.
import { VomeetClient, VomeetClientError } from "vomeet-client";
import { WebSocket as OtherWebSocket } from "ws";

const [baseUrl = "", apiKey = ""] = process.argv.slice(2);
const WebSocket = globalThis.WebSocket ?? OtherWebSocket;
const client = new VomeetClient({ baseUrl, apiKey, WebSocket });
const meeting = { platform: "google_meet", native_id: "abc-defg-hij" };
try {
  for await (const event of client.watchMeetings([meeting], { retryMs: [100] })) {
    console.log(JSON.stringify(event));
  }
} catch (error) {
  if (!(error instanceof VomeetClientError)) throw error;
  console.log(JSON.stringify({ refused: error.detail, code: error.code, status: error.status }));
}
