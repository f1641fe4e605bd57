// The live feed of one meeting. A ticket stands in the address of the socket, never the key.

import { BASE, post } from "./api.js";
import { words } from "./format.js";

const LOST = "The connection was lost; trying again.";
const RETRY_MS = [1000, 2000, 5000, 10_000];

/// Follows a meeting: `on` has `open()`, `segments(segments, removed)`, `status(status)`, `lag(late)` and
/// `state(isLive, why)`. Gives the function that ends it. A connection that is lost, or on which the
/// subscription is refused, is opened again.
export function follow(meeting, on) {
  let socket = null;
  let isOver = false;
  let attempt = 0;
  let timer;
  let why = LOST;

  const open = async () => {
    try {
      const { ticket } = await post("tickets", { path: "/ws" });
      if (!isOver) connect(ticket);
    } catch (error) {
      if (error.status === 403 || error.status === 404) return on.state(false, error.message);
      again();
    }
    return undefined;
  };

  const connect = (ticket) => {
    const url = new URL("ws", BASE);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("ticket", ticket);
    socket = new WebSocket(url);
    socket.onopen = () => {
      const names = [{ platform: meeting.platform, native_id: meeting.native_meeting_id }];
      socket.send(JSON.stringify({ action: "subscribe", meetings: names }));
    };
    socket.onmessage = ({ data }) => take(JSON.parse(data));
    // A key that is refused is refused a ticket too, and then nobody is signed in any more.
    socket.onclose = again;
  };

  const take = (event) => {
    if (event.type === "subscribed") {
      attempt = 0;
      why = LOST;
      on.state(true);
      on.open();
    } else if (event.type === "error") {
      why = event.reason ?? `The live feed says: ${words(event.error)}. Trying again.`;
      socket.close();
    } else if (event.meeting && event.meeting.id !== meeting.id) {
      // Another meeting at the same link.
    } else if (event.type === "transcript.mutable") {
      on.segments(event.payload.segments, event.payload.removed ?? []);
    } else if (event.type === "meeting.status") {
      on.status(event.payload.status);
    } else if (event.type === "transcription.lag") {
      on.lag(event.payload);
    }
  };

  const again = () => {
    if (isOver) return;
    on.state(false, why);
    timer = setTimeout(open, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    attempt += 1;
  };

  open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket?.close();
  };
}
