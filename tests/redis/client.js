// A bot and a feeder on node-redis or ioredis, as client.py is one on redis-py:
// `client.js LIBRARY URL FEEDER_URL MEETING TOKEN`.

import { createInterface } from "node:readline";

const [library, url, feederUrl, meeting, token] = process.argv.slice(2);
const channel = `bot_commands:meeting:${meeting}`;
const say = (...what) => console.log(JSON.stringify(what));
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

/** A connection that adds entries, and one that hears a channel. */
async function connect(address) {
  if (library === "ioredis") {
    const { Redis } = await import("ioredis");
    const client = new Redis(address);
    client.on("error", () => {});
    await client.ping();
    return {
      add: (fields) => client.xadd("transcription_segments", "*", ...Object.entries(fields).flat()),
      hear: async (tell) => {
        const subscriber = client.duplicate();
        subscriber.on("error", () => {});
        subscriber.on("message", (_, message) => tell(message));
        await subscriber.subscribe(channel);
      },
    };
  }
  const { createClient } = await import(library);
  const client = createClient({ url: address });
  client.on("error", () => {});
  await client.connect();
  await client.ping();
  return {
    add: (fields) => client.xAdd("transcription_segments", "*", fields),
    hear: async (tell) => {
      const subscriber = client.duplicate();
      subscriber.on("error", () => {});
      await subscriber.connect();
      await subscriber.subscribe(channel, tell);
    },
  };
}

/** Adds a segment, again where the server is away; gives the id of the entry. */
async function add(client, text) {
  const segment = { segment_id: text, start: 1, end: 2, text };
  const payload = { type: "transcription", token, uid: "stream", meeting_id: meeting, segments: [segment] };
  for (;;) {
    try {
      return await client.add({ payload: JSON.stringify(payload) });
    } catch (error) {
      if (/^(ERR|NOPERM|NOAUTH)/.test(error.message)) throw error;
      await pause();
    }
  }
}

const clients = { bot: await connect(url), feeder: await connect(feederUrl) };
// A feeder that has brought nothing yet takes one of the few places of those who are not known.
await add(clients.feeder, "begin");
await clients.bot.hear((message) => say("message", message));
say("subscribe", 1);
for await (const line of createInterface({ input: process.stdin })) {
  const [who, text] = line.split(" ");
  say("added", text, await add(clients[who], text));
}
process.exit(0);
