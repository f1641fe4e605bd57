// The live feed against a stub that says what a test chose: which ends are final, and which are not.
import assert from "node:assert/strict";
import http from "node:http";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import { type LiveEvent, type WatchOptions, VomeetClient, VomeetClientError } from "vomeet-client";
import { WebSocket as OtherWebSocket, WebSocketServer } from "ws";

/** The socket of the stub, as far as these tests use it. */
interface Peer {
  send(text: string): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: "message", listener: (data: Buffer) => void): void;
  once(event: "close", listener: () => void): void;
}

const MEET = { platform: "google_meet", native_id: "abc-defg-hij" };
const SUBSCRIBED = { type: "subscribed", meetings: [MEET] };
const STATUS = {
  type: "meeting.status",
  meeting: { id: 1, ...MEET },
  payload: { status: "active" },
  ts: "2025-10-10T12:00:00.000Z",
};
/** Longer than any test waits. */
const NEVER_MS = 1_000_000;

/** A server of tickets and sockets; `serve` is told of each message, and how many sockets there were. */
async function stub(t: TestContext, serve: (peer: Peer, message: any, count: number) => void) {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["x-api-key"]}`);
    response.writeHead(201, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ ticket: `ticket-${asked.length}` }));
  });
  const sockets = new WebSocketServer({ server });
  let count = 0;
  sockets.on("connection", (peer: Peer, request: http.IncomingMessage) => {
    count += 1;
    const mine = count;
    asked.push(`${request.url} ${request.headers["x-api-key"]}`);
    peer.on("message", (data) => serve(peer, JSON.parse(String(data)), mine));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const peer of sockets.clients) peer.terminate();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  return { asked, baseUrl: `http://127.0.0.1:${port}/prefix` };
}

function watch(baseUrl: string, options: WatchOptions = {}) {
  const client = new VomeetClient({ baseUrl, apiKey: "key", WebSocket: OtherWebSocket });
  return client.watchMeetings([MEET], { retryMs: [1], ...options });
}

async function next(events: AsyncGenerator<LiveEvent, void, undefined>) {
  return (await events.next()).value;
}

async function failure(events: AsyncGenerator<LiveEvent, void, undefined>) {
  try {
    await events.next();
  } catch (error) {
    assert.ok(error instanceof VomeetClientError, String(error));
    return error;
  }
  throw new Error("it did not fail");
}

test("a socket is opened by a ticket, and what comes is what was sent", async (t) => {
  let closed = () => {};
  const end = new Promise<void>((resolve) => (closed = resolve));
  const told: unknown[] = [];
  const { asked, baseUrl } = await stub(t, (peer, message) => {
    told.push(message);
    peer.once("close", closed);
    peer.send(JSON.stringify(SUBSCRIBED));
    peer.send(JSON.stringify(STATUS));
  });
  const seen: LiveEvent[] = [];
  for await (const event of watch(baseUrl)) {
    seen.push(event);
    if (event.type === "meeting.status") break;
  }
  assert.deepEqual(seen, [SUBSCRIBED, STATUS]);
  assert.deepEqual(told, [{ action: "subscribe", meetings: [MEET] }]);
  assert.deepEqual(asked, ["POST /prefix/tickets key", "/prefix/ws?ticket=ticket-1 undefined"]);
  await end;
});

test("a connection that is lost is opened again, with another ticket", async (t) => {
  const { asked, baseUrl } = await stub(t, (peer, _, count) => {
    peer.send(JSON.stringify(SUBSCRIBED));
    if (count === 1) peer.close(1001, "the server stops");
    else if (count === 2) peer.terminate();
    else peer.send(JSON.stringify(STATUS));
  });
  const events = watch(baseUrl);
  for (const expected of [SUBSCRIBED, SUBSCRIBED, SUBSCRIBED, STATUS]) {
    assert.deepEqual(await next(events), expected);
  }
  await events.return();
  const tickets = asked.filter((line) => line.includes("/ws?ticket="));
  assert.equal(new Set(tickets).size, 3);
});

test("without reconnect the end of the connection is the end of the loop", async (t) => {
  const { baseUrl } = await stub(t, (peer) => {
    peer.send(JSON.stringify(SUBSCRIBED));
    peer.close(1013, "too slow");
  });
  const events = watch(baseUrl, { reconnect: false });
  assert.deepEqual(await next(events), SUBSCRIBED);
  const ended = await failure(events);
  assert.equal(ended.message, "The live feed ended: too slow (code 1013).");
  assert.equal(ended.detail, 1013);
});

test("what is no event is the end of the connection, with a sentence", async (t) => {
  let sent = "";
  const { baseUrl } = await stub(t, (peer) => peer.send(sent));
  for (sent of ["no JSON", "null", "7", '{"payload": {}}']) {
    const ended = await failure(watch(baseUrl, { reconnect: false }));
    assert.equal(ended.message, "The live feed sent what is no event.", sent);
  }
});

test("a refusal is final, and has what was said", async (t) => {
  let refusal = {};
  const { asked, baseUrl } = await stub(t, (peer) => {
    peer.send(JSON.stringify({ type: "error", ...refusal }));
    peer.close(4401, "key refused");
  });
  refusal = { error: "invalid_api_key", code: "revoked", reason: "It was revoked." };
  const revoked = await failure(watch(baseUrl));
  assert.equal(revoked.message, "The live feed refused: invalid_api_key It was revoked.");
  assert.deepEqual([revoked.detail, revoked.code], ["invalid_api_key", "revoked"]);
  refusal = { error: "invalid_subscribe_payload", details: [{ index: 0 }] };
  const unknown = await failure(watch(baseUrl));
  assert.match(unknown.message, /invalid_subscribe_payload \[\{"index":0\}\]$/);
  assert.equal(asked.length, 4, "it came again");
});

test("a limit that is reached is waited for", async (t) => {
  const { baseUrl } = await stub(t, (peer, _, count) => {
    const limit = { type: "error", error: "too_many_requests", code: "too_many_requests" };
    peer.send(JSON.stringify(count === 1 ? limit : SUBSCRIBED));
  });
  const events = watch(baseUrl);
  assert.deepEqual(await next(events), SUBSCRIBED);
  await events.return();
});

test("a server that is silent counts as lost, and one that responds does not", async (t) => {
  const { baseUrl } = await stub(t, (peer, message, count) => {
    if (message.action === "subscribe") peer.send(JSON.stringify(SUBSCRIBED));
    // The first socket is dead after its subscription.
    if (message.action === "ping" && count > 1) {
      peer.send('{"type": "pong"}');
      peer.send(JSON.stringify(STATUS));
    }
  });
  const events = watch(baseUrl, { pingMs: 50 });
  const seen = [];
  while (seen.length < 2 || seen.at(-1) === "subscribed") seen.push((await next(events))?.type);
  assert.deepEqual(seen.slice(0, 2), ["subscribed", "subscribed"]);
  assert.ok(!seen.includes("pong" as never), seen.join());
  await events.return();
});

test("a caller who is too slow loses the connection and not the memory", async (t) => {
  let closed = () => {};
  const end = new Promise<void>((resolve) => (closed = resolve));
  const { baseUrl } = await stub(t, (peer, _, count) => {
    peer.send(JSON.stringify(SUBSCRIBED));
    if (count > 1) return;
    peer.once("close", closed);
    for (let sent = 0; sent < 5000; sent += 1) peer.send(JSON.stringify(STATUS));
  });
  const events = watch(baseUrl);
  assert.deepEqual(await next(events), SUBSCRIBED);
  await end;
  let count = 0;
  while ((await next(events))?.type === "meeting.status") count += 1;
  assert.ok(count >= 1000 && count < 5000, `${count} events waited`);
  await events.return();
});

test("a signal ends the loop wherever it waits", async (t) => {
  const { baseUrl } = await stub(t, (peer) => peer.send(JSON.stringify(SUBSCRIBED)));
  const talking = new AbortController();
  const events = watch(baseUrl, { signal: talking.signal });
  assert.deepEqual(await next(events), SUBSCRIBED);
  const waiting = next(events);
  talking.abort();
  assert.equal(await waiting, undefined);

  let pauses = () => {};
  const pausing = new Promise<void>((resolve) => (pauses = resolve));
  // Read when the pause before the next attempt begins, which is longer than any test.
  const retryMs = {
    length: 1,
    get 0() {
      pauses();
      return NEVER_MS;
    },
  };
  const nowhere = new AbortController();
  const options = { signal: nowhere.signal, retryMs: retryMs as never };
  const retrying = next(watch("http://127.0.0.1:1", options));
  await pausing;
  nowhere.abort();
  assert.equal(await retrying, undefined);
  assert.equal(await next(watch(baseUrl, { signal: AbortSignal.abort() })), undefined);
});

test("a key that is refused a ticket is final too", async (t) => {
  const { baseUrl } = await stub(t, () => {});
  const server = http.createServer((_, response) => {
    response.writeHead(403, { "Content-Type": "application/json" });
    response.end('{"detail": "Invalid API key", "code": "unknown", "reason": "Nobody has it."}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const refused = await failure(watch(`http://127.0.0.1:${port}`));
  assert.deepEqual([refused.status, refused.code], [403, "unknown"]);
  const client = new VomeetClient({ baseUrl, apiKey: "key", WebSocket: undefined as never });
  if (!globalThis.WebSocket) {
    assert.throws(() => client.watchMeetings([MEET]), /no WebSocket/);
  }
});
