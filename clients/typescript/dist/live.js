// The live feed: one socket after the other, and what comes out of them.
import { VomeetClientError } from "./errors.js";
/** Waits before each attempt to connect again. */
const RETRY_MS = [1000, 2000, 5000, 10_000];
/** How often the server is asked whether it is there. */
const PING_MS = 20_000;
/** Events that may wait for a caller who is slower than the meeting. */
const WAITING_MAX = 1000;
/** Follows meetings over sockets that `open` opens. */
export async function* watch(open, meetings, timeoutMs, options) {
    const { signal, reconnect = true, retryMs = RETRY_MS, pingMs = PING_MS } = options;
    let attempt = 0;
    while (!signal?.aborted) {
        const feed = new Feed(meetings, timeoutMs, pingMs, signal);
        feed.connect(open);
        try {
            for (;;) {
                const event = await feed.next();
                if (!event)
                    return;
                if (event.type === "subscribed")
                    attempt = 0;
                yield event;
            }
        }
        catch (error) {
            if (!reconnect || !isPassing(error))
                throw error;
        }
        finally {
            feed.end();
        }
        await pause(retryMs[Math.min(attempt, retryMs.length - 1)] ?? 0, signal);
        attempt += 1;
    }
}
/** One socket, from `connect` to `end`. */
class Feed {
    #meetings;
    #pingMs;
    #signal;
    #waiting = [];
    #stop = () => this.#finish();
    #socket;
    #opening;
    #pinging;
    #isHeard = true;
    /** Whether it has ended, and why; no reason where the caller has ended it. */
    #ended;
    #wake = () => { };
    constructor(meetings, timeoutMs, pingMs, signal) {
        this.#meetings = meetings;
        this.#pingMs = pingMs;
        this.#signal = signal;
        const late = () => this.#lost(`did not open within ${timeoutMs / 1000} s`);
        this.#opening = setTimeout(late, timeoutMs);
        signal?.addEventListener("abort", this.#stop);
    }
    /** Opens the socket. */
    connect(open) {
        open().then((socket) => this.#follow(socket), (failure) => this.#finish(failure));
    }
    /** Takes the socket, and subscribes once it is open. */
    #follow(socket) {
        this.#socket = socket;
        socket.addEventListener("open", () => {
            if (this.#ended)
                return;
            clearTimeout(this.#opening);
            const subscribe = { action: "subscribe", meetings: this.#meetings };
            socket.send(JSON.stringify(subscribe));
            this.#pinging = setInterval(() => this.#ping(), this.#pingMs);
        });
        socket.addEventListener("message", ({ data }) => this.#take(data));
        // What is wrong, the close says that follows.
        socket.addEventListener("error", () => { });
        socket.addEventListener("close", ({ code, reason }) => {
            this.#lost(`ended: ${reason || "no reason given"} (code ${code})`, code);
        });
        if (this.#ended)
            socket.close();
    }
    /** The next event; undefined where the caller has ended it. Fails where the feed has ended. */
    async next() {
        for (;;) {
            const event = this.#waiting.shift();
            if (event)
                return event;
            if (this.#ended?.failure)
                throw this.#ended.failure;
            if (this.#ended)
                return undefined;
            await new Promise((resolve) => {
                this.#wake = resolve;
            });
        }
    }
    /** Closes the socket. */
    end() {
        this.#finish();
    }
    #take(data) {
        this.#isHeard = true;
        const event = message(data);
        if (!event)
            return this.#lost("sent what is no event");
        if (event.type === "error")
            return this.#finish(refused(event));
        if (event.type === "pong" || this.#ended)
            return;
        this.#waiting.push(event);
        if (this.#waiting.length > WAITING_MAX)
            return this.#lost("was read too slowly");
        return this.#wake();
    }
    /** Asks whether the server is there; one that has said nothing since the last time is not. */
    #ping() {
        if (!this.#isHeard)
            return this.#lost("does not respond any more");
        this.#isHeard = false;
        this.#socket?.send('{"action": "ping"}');
    }
    #lost(what, code) {
        this.#finish(new VomeetClientError(`The live feed ${what}.`, { detail: code }));
    }
    /** The first end counts. */
    #finish(failure) {
        if (this.#ended)
            return;
        this.#ended = { failure };
        clearTimeout(this.#opening);
        clearInterval(this.#pinging);
        this.#signal?.removeEventListener("abort", this.#stop);
        this.#socket?.close();
        this.#wake();
    }
}
/** A message of the feed; null where it is none. */
function message(data) {
    try {
        const event = JSON.parse(String(data));
        return typeof event?.type === "string" ? event : null;
    }
    catch {
        return null;
    }
}
/** What the feed said when it refused a key, a subscription or a message. */
function refused(event) {
    const more = event.reason ?? (event.details ? JSON.stringify(event.details) : "");
    const message = `The live feed refused: ${event.error} ${more}`.trim();
    const { error: detail, code = null, reason = null } = event;
    return new VomeetClientError(message, { detail, code, reason });
}
/** Whether it may be better the next time: nothing is wrong with the key or the subscription. */
function isPassing(error) {
    if (!(error instanceof VomeetClientError))
        return false;
    if (error.status !== null)
        return error.status === 429 || error.status >= 500;
    return typeof error.detail !== "string" || error.detail === "too_many_requests";
}
function pause(milliseconds, signal) {
    return new Promise((resolve) => {
        const end = () => {
            clearTimeout(timer);
            signal?.removeEventListener("abort", end);
            resolve();
        };
        const timer = setTimeout(end, milliseconds);
        signal?.addEventListener("abort", end);
        if (signal?.aborted)
            end();
    });
}
