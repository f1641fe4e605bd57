// The live feed: one socket after the other, and what comes out of them.

import { VomeetClientError } from "./errors.js";

/** A meeting as the platform names it. */
export interface MeetingName {
  platform: string;
  native_id: string;
}

/** A meeting as the live feed names it in an event. */
export interface LiveMeeting extends MeetingName {
  id: number;
}

/**
 * A segment as it comes live: new, or in place of the one with its `segment_id`. `start` and
 * `end_time` are seconds from the start of the meeting.
 */
export interface LiveSegment {
  segment_id: string;
  text: string;
  speaker: string | null;
  speaker_source: string;
  completed: boolean;
  /** True where somebody has corrected the words; then the two below are there as well. */
  corrected?: true;
  original_text?: string;
  corrected_at?: string;
  language: string | null;
  session_uid: string;
  start: number;
  end_time: number;
  absolute_start_time: string;
  absolute_end_time: string;
  updated_at: string;
}

/** From now on every change of these meetings comes as an event; again after each reconnection. */
export interface SubscribedEvent {
  type: "subscribed";
  meetings: MeetingName[];
}

/** Segments that are new or changed; `removed` names those that are gone, where any are. */
export interface TranscriptEvent {
  type: "transcript.mutable";
  meeting: LiveMeeting;
  payload: { segments: LiveSegment[]; removed?: string[] };
  ts: string;
}

/** A meeting has a new status. */
export interface StatusEvent {
  type: "meeting.status";
  meeting: LiveMeeting;
  payload: { status: string };
  ts: string;
}

/** What happens in the meetings that are followed. */
export type LiveEvent = SubscribedEvent | TranscriptEvent | StatusEvent;

interface Pong {
  type: "pong";
}

interface Refusal {
  type: "error";
  error: string;
  details?: unknown;
  code?: string;
  reason?: string;
}

/** How meetings are followed. */
export interface WatchOptions {
  /** Ends the loop, also while it waits. */
  signal?: AbortSignal;
  /** Whether a connection that is lost is opened again; true if nothing is said. */
  reconnect?: boolean;
  /** Waits before each attempt to connect again, in milliseconds; the last one goes on. */
  retryMs?: readonly number[];
  /** How often the server is asked whether it is there, in milliseconds; 20,000 if none. */
  pingMs?: number;
}

/** What the live feed needs of a `WebSocket`. */
export interface Socket {
  send(text: string): void;
  close(): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

export type SocketConstructor = new (url: string) => Socket;

/** Waits before each attempt to connect again. */
const RETRY_MS: readonly number[] = [1000, 2000, 5000, 10_000];
/** How often the server is asked whether it is there. */
const PING_MS = 20_000;
/** Events that may wait for a caller who is slower than the meeting. */
const WAITING_MAX = 1000;

/** Follows meetings over sockets that `open` opens. */
export async function* watch(
  open: () => Promise<Socket>,
  meetings: readonly MeetingName[],
  timeoutMs: number,
  options: WatchOptions,
): AsyncGenerator<LiveEvent, void, undefined> {
  const { signal, reconnect = true, retryMs = RETRY_MS, pingMs = PING_MS } = options;
  let attempt = 0;
  while (!signal?.aborted) {
    const feed = new Feed(meetings, timeoutMs, pingMs, signal);
    feed.connect(open);
    try {
      for (;;) {
        const event = await feed.next();
        if (!event) return;
        if (event.type === "subscribed") attempt = 0;
        yield event;
      }
    } catch (error) {
      if (!reconnect || !isPassing(error)) throw error;
    } finally {
      feed.end();
    }
    await pause(retryMs[Math.min(attempt, retryMs.length - 1)] ?? 0, signal);
    attempt += 1;
  }
}

/** One socket, from `connect` to `end`. */
class Feed {
  readonly #meetings: readonly MeetingName[];
  readonly #pingMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #waiting: LiveEvent[] = [];
  readonly #stop = () => this.#finish();
  #socket: Socket | undefined;
  #opening: ReturnType<typeof setTimeout>;
  #pinging: ReturnType<typeof setInterval> | undefined;
  #isHeard = true;
  /** Whether it has ended, and why; no reason where the caller has ended it. */
  #ended: { failure?: unknown } | undefined;
  #wake = () => {};

  constructor(
    meetings: readonly MeetingName[],
    timeoutMs: number,
    pingMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.#meetings = meetings;
    this.#pingMs = pingMs;
    this.#signal = signal;
    const late = () => this.#lost(`did not open within ${timeoutMs / 1000} s`);
    this.#opening = setTimeout(late, timeoutMs);
    signal?.addEventListener("abort", this.#stop);
  }

  /** Opens the socket. */
  connect(open: () => Promise<Socket>): void {
    open().then(
      (socket) => this.#follow(socket),
      (failure: unknown) => this.#finish(failure),
    );
  }

  /** Takes the socket, and subscribes once it is open. */
  #follow(socket: Socket): void {
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (this.#ended) return;
      clearTimeout(this.#opening);
      const subscribe = { action: "subscribe", meetings: this.#meetings };
      socket.send(JSON.stringify(subscribe));
      this.#pinging = setInterval(() => this.#ping(), this.#pingMs);
    });
    socket.addEventListener("message", ({ data }) => this.#take(data));
    // What is wrong, the close says that follows.
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }) => {
      this.#lost(`ended: ${reason || "no reason given"} (code ${code})`, code);
    });
    if (this.#ended) socket.close();
  }

  /** The next event; undefined where the caller has ended it. Fails where the feed has ended. */
  async next(): Promise<LiveEvent | undefined> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event) return event;
      if (this.#ended?.failure) throw this.#ended.failure;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Closes the socket. */
  end(): void {
    this.#finish();
  }

  #take(data: unknown): void {
    this.#isHeard = true;
    const event = message(data);
    if (!event) return this.#lost("sent what is no event");
    if (event.type === "error") return this.#finish(refused(event));
    if (event.type === "pong" || this.#ended) return;
    this.#waiting.push(event);
    if (this.#waiting.length > WAITING_MAX) return this.#lost("was read too slowly");
    return this.#wake();
  }

  /** Asks whether the server is there; one that has said nothing since the last time is not. */
  #ping(): void {
    if (!this.#isHeard) return this.#lost("does not respond any more");
    this.#isHeard = false;
    this.#socket?.send('{"action": "ping"}');
  }

  #lost(what: string, code?: number): void {
    this.#finish(new VomeetClientError(`The live feed ${what}.`, { detail: code }));
  }

  /** The first end counts. */
  #finish(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = { failure };
    clearTimeout(this.#opening);
    clearInterval(this.#pinging);
    this.#signal?.removeEventListener("abort", this.#stop);
    this.#socket?.close();
    this.#wake();
  }
}

/** A message of the feed; null where it is none. */
function message(data: unknown): LiveEvent | Pong | Refusal | null {
  try {
    const event = JSON.parse(String(data));
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null;
  }
}

/** What the feed said when it refused a key, a subscription or a message. */
function refused(event: Refusal): VomeetClientError {
  const more = event.reason ?? (event.details ? JSON.stringify(event.details) : "");
  const message = `The live feed refused: ${event.error} ${more}`.trim();
  const { error: detail, code = null, reason = null } = event;
  return new VomeetClientError(message, { detail, code, reason });
}

/** Whether it may be better the next time: nothing is wrong with the key or the subscription. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof VomeetClientError)) return false;
  if (error.status !== null) return error.status === 429 || error.status >= 500;
  return typeof error.detail !== "string" || error.detail === "too_many_requests";
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
