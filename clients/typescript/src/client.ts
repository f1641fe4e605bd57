// The client: typed calls by path, and the live feed.

import type { Arguments, Method, Operation, PathsWith, Result } from "./calls.js";
import { VomeetClientError, refusal } from "./errors.js";
import type { LiveEvent, MeetingName, SocketConstructor, WatchOptions } from "./live.js";
import { watch } from "./live.js";

/** Methods that are sent again where the connection broke: sent twice, they do what they do once. */
const SAFE_METHODS: readonly Method[] = ["get", "put"];
/** Longest wait for a response where nothing else is said, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Longest wait that `setTimeout` takes, in milliseconds. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** What a client is made with. */
export interface ClientOptions {
  /** The server; it may have a path prefix and end in a slash. `http://localhost:18056` if none. */
  baseUrl?: string;
  /** A user's token, for everything that is the user's. */
  apiKey?: string;
  /** An admin key, for the paths below `/admin/`, `/healthz` and `/metrics`. */
  adminKey?: string;
  /** Longest wait for a whole response, in milliseconds; 10,000 if none. */
  timeoutMs?: number;
  /** The `WebSocket` of the live feed, where the runtime has none of its own (Node before 22). */
  WebSocket?: SocketConstructor;
}

/** What may be said of a sound. */
export interface TranscribeOptions {
  /** What is spoken, such as `en`; if none, the engine finds out. */
  language?: string;
  /** Names and terms that may occur. */
  prompt?: string;
  /** Whether the times of words are asked for too. */
  words?: boolean;
}

/** The words of a sound; times are in seconds. */
export interface Transcription {
  task: string;
  language: string;
  language_probability: number | null;
  duration: number;
  text: string;
  segments: { id: number; start: number; end: number; text: string }[];
  words?: { word: string; start: number; end: number; probability?: number }[];
}

/** What may be said of a recording. */
export interface UploadOptions {
  name?: string;
  /** When it began, such as `2025-10-10T12:00:00Z`. */
  start_time?: string;
  language?: string;
  platform?: string;
  native_meeting_id?: string;
  /** Who speaks in which channel. */
  speakers?: string[];
}

/** What a request carries, whatever its path. */
interface AnyInput {
  path?: Record<string, unknown> | undefined;
  query?: Record<string, unknown> | undefined;
  body?: unknown;
}

/** A client of one server. Every failure is a {@link VomeetClientError}. */
export class VomeetClient {
  readonly #base: URL;
  readonly #apiKey: string | undefined;
  readonly #adminKey: string | undefined;
  readonly #timeoutMs: number;
  readonly #WebSocket: SocketConstructor | undefined;

  constructor(options: ClientOptions = {}) {
    this.#base = baseOf(options.baseUrl ?? "http://localhost:18056");
    this.#apiKey = checked(options.apiKey, "apiKey");
    this.#adminKey = checked(options.adminKey, "adminKey");
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    if (!(this.#timeoutMs > 0 && this.#timeoutMs <= TIMEOUT_MS_MAX)) {
      throw new VomeetClientError(`timeoutMs must be from 1 to ${TIMEOUT_MS_MAX}.`);
    }
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
  }

  /** GET; the response is JSON. */
  get<P extends PathsWith<"get">>(path: P, ...input: Arguments<Operation<P, "get">>) {
    return this.#call("get", path, input[0]) as Promise<Result<Operation<P, "get">>>;
  }

  /** POST. */
  post<P extends PathsWith<"post">>(path: P, ...input: Arguments<Operation<P, "post">>) {
    return this.#call("post", path, input[0]) as Promise<Result<Operation<P, "post">>>;
  }

  /** PUT. */
  put<P extends PathsWith<"put">>(path: P, ...input: Arguments<Operation<P, "put">>) {
    return this.#call("put", path, input[0]) as Promise<Result<Operation<P, "put">>>;
  }

  /** PATCH. */
  patch<P extends PathsWith<"patch">>(path: P, ...input: Arguments<Operation<P, "patch">>) {
    return this.#call("patch", path, input[0]) as Promise<Result<Operation<P, "patch">>>;
  }

  /** DELETE. */
  delete<P extends PathsWith<"delete">>(path: P, ...input: Arguments<Operation<P, "delete">>) {
    return this.#call("delete", path, input[0]) as Promise<Result<Operation<P, "delete">>>;
  }

  /** GET of a response that is text: subtitles, CSV, metrics. */
  async getText<P extends PathsWith<"get">>(
    path: P,
    ...input: Arguments<Operation<P, "get">>
  ): Promise<string> {
    return (await this.#send("get", path, input[0], textOf)).body;
  }

  /** Has words made of a sound of at most 25 MiB and ten minutes, and waits for them. */
  async transcribeFile(file: Blob, options: TranscribeOptions = {}): Promise<Transcription> {
    const form = new FormData();
    form.set("file", file, file instanceof File ? file.name : "sound");
    form.set("response_format", "verbose_json");
    if (options.language) form.set("language", options.language);
    if (options.prompt) form.set("prompt", options.prompt);
    if (options.words) form.set("timestamp_granularities[]", "word");
    const input = { body: form };
    return (await this.#call("post", "/v1/audio/transcriptions", input)) as Transcription;
  }

  /**
   * Uploads a recording: it becomes a finished meeting, whose words are made behind it.
   * `GET /meetings/{id}` says in `transcription` how far they are.
   */
  async uploadMeeting(file: Blob, options: UploadOptions = {}) {
    const { speakers, ...rest } = options;
    const input = { query: { ...rest, speakers: speakers?.join(",") }, body: file };
    return (await this.#call("post", "/meetings/upload", input)) as Result<
      Operation<"/meetings/upload", "post">
    >;
  }

  /**
   * Gets a sound of a meeting while the server keeps it: Ogg with Opus, or WAV. Without `sound` it is
   * the first; `GET /meetings/{id}/explain` lists them.
   */
  async getMeetingAudio(id: number, sound?: number): Promise<Blob> {
    const input = { path: { id }, query: { sound } };
    return (await this.#send("get", "/meetings/{id}/audio", input, blobOf)).body;
  }

  /** Deletes the sound of a meeting, and nothing else of it. */
  async deleteMeetingAudio(id: number): Promise<void> {
    await this.#call("delete", "/meetings/{id}/audio", { path: { id } });
  }

  /**
   * Follows meetings, live: yields what happens until the caller leaves the loop, beginning with
   * `subscribed`. A connection that is lost is opened again, and the meetings are subscribed to
   * again: then there is another `subscribed`, and what was said meanwhile is in the transcript.
   * Fails where the key or the subscription is refused.
   */
  watchMeetings(
    meetings: readonly MeetingName[],
    options: WatchOptions = {},
  ): AsyncGenerator<LiveEvent, void, undefined> {
    const WebSocket = this.#WebSocket;
    if (!WebSocket) {
      throw new VomeetClientError("This runtime has no WebSocket; give one to VomeetClient.");
    }
    const open = async () => {
      const { ticket } = await this.post("/tickets", { body: { path: "/ws" } });
      const url = new URL("ws", this.#base);
      url.protocol = url.protocol.replace("http", "ws");
      url.searchParams.set("ticket", ticket);
      return new WebSocket(url.href);
    };
    return watch(open, meetings, this.#timeoutMs, options);
  }

  async #call(method: Method, path: string, input: AnyInput | undefined): Promise<unknown> {
    const { status, body: text, what } = await this.#send(method, path, input, textOf);
    if (text === "") return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new VomeetClientError(`The response to ${what} is not JSON.`, { status, cause });
    }
  }

  async #send<T>(
    method: Method,
    path: string,
    input: AnyInput = {},
    read: (response: Response) => Promise<T>,
  ) {
    const url = this.#address(path, input);
    const what = `${method.toUpperCase()} ${url.origin}${url.pathname}`;
    const request = this.#request(method, path, input.body);
    const mayRepeat = SAFE_METHODS.includes(method);
    try {
      const response = await this.#fetched(url, request, mayRepeat);
      // A redirect that a browser does not show has the status 0.
      const isHidden = response.type === "opaqueredirect";
      if (isHidden || (response.status >= 300 && response.status < 400)) {
        const message = `${what} was redirected: use the final address as baseUrl.`;
        throw new VomeetClientError(message, { status: response.status });
      }
      if (!response.ok) throw await refusal(response, what);
      return { status: response.status, body: await read(response), what };
    } catch (error) {
      if (error instanceof VomeetClientError) throw error;
      throw new VomeetClientError(noResponse(what, error, this.#timeoutMs), { cause: error });
    }
  }

  #address(path: string, input: AnyInput): URL {
    const fill = (_: string, name: string) => segment(name, input.path?.[name]);
    const filled = path.replace(/\{(\w+)\}/g, fill);
    const url = new URL(filled.slice(1), this.#base);
    for (const [name, value] of Object.entries(input.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #request(method: Method, path: string, body: unknown): RequestInit {
    const headers: Record<string, string> = {};
    const isAdmin = path.startsWith("/admin/") || path === "/healthz" || path === "/metrics";
    if (isAdmin && this.#adminKey) headers["X-Admin-API-Key"] = this.#adminKey;
    if (!isAdmin && this.#apiKey) headers["X-API-Key"] = this.#apiKey;
    const request: RequestInit = { method: method.toUpperCase(), headers };
    // A redirect is not followed: it would hand the key to another address.
    request.redirect = "manual";
    if (body instanceof FormData || body instanceof Blob) {
      // A form brings its media type, with its boundary.
      if (body instanceof Blob) headers["Content-Type"] = "application/octet-stream";
      request.body = body;
    } else if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(body);
    }
    return request;
  }

  async #fetched(url: URL, request: RequestInit, mayRepeat: boolean): Promise<Response> {
    const once = () => fetch(url, { ...request, signal: AbortSignal.timeout(this.#timeoutMs) });
    try {
      return await once();
    } catch (error) {
      if (!mayRepeat || isTimeout(error)) throw error;
      return once();
    }
  }
}

function textOf(response: Response): Promise<string> {
  return response.text();
}

function blobOf(response: Response): Promise<Blob> {
  return response.blob();
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

function noResponse(what: string, error: unknown, timeoutMs: number): string {
  if (isTimeout(error)) return `No response to ${what} within ${timeoutMs / 1000} s.`;
  return `No connection for ${what}: check that the server runs. ${String(error)}`;
}

/** The address below which all paths are. */
function baseOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text.endsWith("/") ? text : `${text}/`);
  } catch (cause) {
    throw new VomeetClientError(`${text} is not an address.`, { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new VomeetClientError(`${text} is not an http or https address.`);
  }
  return url;
}

/** A key that a header can carry. */
function checked(key: string | undefined, name: string): string | undefined {
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new VomeetClientError(`${name} has characters that no header can carry, or none.`);
  }
  return key;
}

/** A segment of a path, percent-encoded; one that is empty or dots would be another path. */
function segment(name: string, value: unknown): string {
  const text = value === undefined || value === null ? "" : String(value);
  if (text === "" || text === "." || text === "..") {
    throw new VomeetClientError(`${name} cannot be ${JSON.stringify(text)} in a path.`);
  }
  return encodeURIComponent(text);
}
