// Calls with the client as it was installed from the server: what it gives, and how it fails. What
// must not compile stands behind @ts-expect-error.
import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { type Schemas, VomeetClient, VomeetClientError } from "vomeet-client";

const baseUrl = process.env.BASE_URL ?? "";
const adminKey = process.env.ADMIN_KEY ?? "";
const admin = new VomeetClient({ baseUrl: `${baseUrl}/`, adminKey });

/** What a call fails with. */
async function failure(call: () => Promise<unknown>): Promise<VomeetClientError> {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof VomeetClientError, String(error));
    return error;
  }
  throw new Error("it did not fail");
}

/** A new user's token. */
async function newToken(email: string): Promise<Schemas["NewToken"]> {
  const user = await admin.post("/admin/users", { body: { email, data: { team: "engines" } } });
  assert.deepEqual(user.data, { team: "engines" });
  const path = { id: user.id };
  return admin.post("/admin/users/{id}/tokens", { path, body: { name: "typed" } });
}

/** A server that does the same with each connection. */
async function stub(t: { after: (end: () => void) => void }, serve: (socket: net.Socket) => void) {
  const server = net.createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address() as net.AddressInfo;
  return `http://127.0.0.1:${address.port}`;
}

test("calls send path, query and body, and give what the document says", async () => {
  const token = await newToken("a+b/ä@example.com");
  const client = new VomeetClient({ baseUrl, apiKey: token.token });
  const caller = await client.get("/user");
  const email: string = caller.email;
  assert.deepEqual([email, caller.token.name], ["a+b/ä@example.com", "typed"]);
  const found = await admin.get("/admin/users/email/{email}", { path: { email } });
  assert.equal(found.id, token.user_id);
  const query = { q: "a+b/ä", limit: 1 };
  assert.deepEqual((await admin.get("/admin/users", { query })).map((user) => user.id), [found.id]);
  assert.deepEqual((await client.get("/meetings", { query: { limit: 5 } })).meetings, []);
  assert.deepEqual((await client.get("/meetings")).meetings, []);
  const path = { id: found.id };
  const changed = await admin.patch("/admin/users/{id}", { path, body: { name: "Ada" } });
  assert.equal(changed.name, "Ada");
  const webhook = { webhook_url: "https://example.com/hook" };
  assert.equal((await client.put("/user/webhook", { body: webhook })).id, found.id);
  assert.equal((await client.get("/user/webhook")).webhook_url, webhook.webhook_url);
  assert.match(await client.getText("/user/usage", { query: { format: "csv" } }), /^day,/);
  assert.equal(await admin.delete("/admin/users/{id}", { path }), undefined);
});

test("the sound of a meeting comes as bytes, and is deleted", async (t) => {
  const heads: string[] = [];
  const address = await stub(t, (socket) => {
    socket.once("data", (data) => {
      heads.push(data.toString().split("\r\n")[0] ?? "");
      const sound = heads.length > 2 ? "204 No Content\r\n" : "200 OK\r\nContent-Length: 4\r\n";
      socket.write(`HTTP/1.1 ${sound}Content-Type: audio/ogg\r\nConnection: close\r\n\r\n`);
      socket.end(heads.length > 2 ? "" : Buffer.from([0x4f, 0x67, 0x67, 0xff]));
    });
  });
  const client = new VomeetClient({ baseUrl: address, apiKey: "mine" });
  const sound = await client.getMeetingAudio(7);
  assert.equal(sound.type, "audio/ogg");
  assert.deepEqual([...new Uint8Array(await sound.arrayBuffer())], [0x4f, 0x67, 0x67, 0xff]);
  await client.getMeetingAudio(7, 3);
  await client.deleteMeetingAudio(7);
  const paths = ["GET /meetings/7/audio", "GET /meetings/7/audio?sound=3", "DELETE /meetings/7/audio"];
  assert.deepEqual(heads, paths.map((path) => `${path} HTTP/1.1`));
});

test("a refusal has the status, what was said, code and reason", async () => {
  const path = { id: 4711 };
  const missing = await failure(() => admin.get("/admin/users/{id}", { path }));
  assert.deepEqual([missing.status, missing.detail, missing.code], [404, "User not found", null]);
  assert.match(missing.message, /^User not found \(HTTP 404 for GET http.*\/admin\/users\/4711\)$/);
  const invalid = await failure(() => admin.post("/admin/users", { body: { email: "nobody" } }));
  assert.equal(invalid.status, 422);
  assert.match(invalid.message, /^body\.email: /);
  const token = await newToken("ended@example.com");
  await admin.delete("/admin/tokens/{id}", { path: { id: token.id } });
  const client = new VomeetClient({ baseUrl, apiKey: token.token });
  const ended = await failure(() => client.get("/user"));
  assert.deepEqual([ended.status, ended.code], [403, "revoked"]);
  assert.ok(ended.reason && ended.message.includes(ended.reason), ended.message);
  const elsewhere = await failure(() => admin.getText("/clients"));
  assert.deepEqual([elsewhere.status, elsewhere.detail], [308, null]);
});

test("a refusal without a detail keeps all that was said", async (t) => {
  const said = '{"status":"unavailable","reasons":["starting"]}';
  const address = await stub(t, (socket) => {
    const head = `HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: ${said.length}`;
    socket.once("data", () => socket.end(`${head}\r\n\r\n${said}`));
  });
  const starting = await failure(() => new VomeetClient({ baseUrl: address }).get("/ready"));
  assert.deepEqual([starting.status, starting.detail], [503, JSON.parse(said)]);
  assert.ok(starting.message.startsWith(said), starting.message);
});

test("each key goes with its own paths alone", async (t) => {
  const heads: string[] = [];
  const address = await stub(t, (socket) => {
    socket.once("data", (data) => {
      heads.push(data.toString().toLowerCase());
      socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    });
  });
  const client = new VomeetClient({ baseUrl: `${address}/prefix`, apiKey: "mine", adminKey: "theirs" });
  await client.get("/user");
  await client.get("/admin/overview");
  const [ofUser = "", ofAdmin = ""] = heads;
  assert.match(ofUser, /^get \/prefix\/user http/);
  assert.ok(ofUser.includes("x-api-key: mine") && !ofUser.includes("theirs"), ofUser);
  assert.ok(ofAdmin.includes("x-admin-api-key: theirs") && !ofAdmin.includes("mine"), ofAdmin);
});

test("a connection that breaks is tried once more where that is safe", async (t) => {
  let count = 0;
  const address = await stub(t, (socket) => {
    count += 1;
    const isFirst = count === 1;
    socket.on("error", () => {});
    socket.once("data", () => {
      if (isFirst) return socket.destroy();
      return socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    });
  });
  const client = new VomeetClient({ baseUrl: address, apiKey: "key" });
  assert.deepEqual(await client.get("/user"), {});
  assert.equal(count, 2);
  count = 0;
  const body = { platform: "google_meet" as const, native_meeting_id: "abc-defg-hij" };
  const broken = await failure(() => client.post("/bots", { body }));
  assert.deepEqual([broken.status, count], [null, 1]);
  assert.match(broken.message, /^No connection for POST .*\/bots: /);
});

test("what does not respond, is no server, or cannot be sent fails with a sentence", async (t) => {
  const silent = await stub(t, (socket) => t.after(() => socket.destroy()));
  const client = new VomeetClient({ baseUrl: silent, timeoutMs: 50 });
  assert.match((await failure(() => client.get("/user"))).message, /^No response to .* within 0.05 s/);
  const text = await stub(t, (socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"));
    t.after(() => socket.destroy());
  });
  const noJson = await failure(() => new VomeetClient({ baseUrl: text }).get("/user"));
  assert.match(noJson.message, /is not JSON/);
  for (const address of ["localhost:18056", "ftp://localhost", "nowhere"]) {
    assert.throws(() => new VomeetClient({ baseUrl: address }), VomeetClientError, address);
  }
  assert.throws(() => new VomeetClient({ apiKey: "a\nb" }), VomeetClientError);
  assert.throws(() => new VomeetClient({ timeoutMs: 0 }), VomeetClientError);
  const dots = await failure(() => admin.get("/admin/users/email/{email}", { path: { email: ".." } }));
  assert.match(dots.message, /email cannot be/);
});

// None of these is called: they are there for the compiler.
export const wrong = [
  // @ts-expect-error there is no such path
  () => admin.get("/admin/user"),
  // @ts-expect-error the path has another method
  () => admin.delete("/admin/overview"),
  // @ts-expect-error the id is missing
  () => admin.get("/admin/users/{id}"),
  // @ts-expect-error the body is missing
  () => admin.post("/admin/users"),
  // @ts-expect-error the field has another type
  () => admin.post("/admin/users", { body: { email: 1 } }),
  // @ts-expect-error there is no such parameter
  () => admin.get("/admin/users", { query: { page: 1 } }),
  // @ts-expect-error there is no such field
  async () => (await admin.get("/user")).phone,
];
