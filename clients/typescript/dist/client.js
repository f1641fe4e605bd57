// The client: typed calls by path, and the live feed.
import { VomeetClientError, refusal } from "./errors.js";
import { watch } from "./live.js";
/** Methods that are sent again where the connection broke: sent twice, they do what they do once. */
const SAFE_METHODS = ["get", "put"];
/** Longest wait for a response where nothing else is said, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Longest wait that `setTimeout` takes, in milliseconds. */
const TIMEOUT_MS_MAX = 2_147_483_647;
/** A client of one server. Every failure is a {@link VomeetClientError}. */
export class VomeetClient {
    #base;
    #apiKey;
    #adminKey;
    #timeoutMs;
    #WebSocket;
    constructor(options = {}) {
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
    get(path, ...input) {
        return this.#call("get", path, input[0]);
    }
    /** POST. */
    post(path, ...input) {
        return this.#call("post", path, input[0]);
    }
    /** PUT. */
    put(path, ...input) {
        return this.#call("put", path, input[0]);
    }
    /** PATCH. */
    patch(path, ...input) {
        return this.#call("patch", path, input[0]);
    }
    /** DELETE. */
    delete(path, ...input) {
        return this.#call("delete", path, input[0]);
    }
    /** GET of a response that is text: subtitles, CSV, metrics. */
    async getText(path, ...input) {
        return (await this.#send("get", path, input[0], textOf)).body;
    }
    /** Has words made of a sound of at most 25 MiB and ten minutes, and waits for them. */
    async transcribeFile(file, options = {}) {
        const form = new FormData();
        form.set("file", file, file instanceof File ? file.name : "sound");
        form.set("response_format", "verbose_json");
        if (options.language)
            form.set("language", options.language);
        if (options.prompt)
            form.set("prompt", options.prompt);
        if (options.words)
            form.set("timestamp_granularities[]", "word");
        const input = { body: form };
        return (await this.#call("post", "/v1/audio/transcriptions", input));
    }
    /**
     * Uploads a recording: it becomes a finished meeting, whose words are made behind it.
     * `GET /meetings/{id}` says in `transcription` how far they are.
     */
    async uploadMeeting(file, options = {}) {
        const { speakers, ...rest } = options;
        const input = { query: { ...rest, speakers: speakers?.join(",") }, body: file };
        return (await this.#call("post", "/meetings/upload", input));
    }
    /**
     * Gets a sound of a meeting while the server keeps it: Ogg with Opus, or WAV. Without `sound` it is
     * the first; `GET /meetings/{id}/explain` lists them.
     */
    async getMeetingAudio(id, sound) {
        const input = { path: { id }, query: { sound } };
        return (await this.#send("get", "/meetings/{id}/audio", input, blobOf)).body;
    }
    /** Deletes the sound of a meeting, and nothing else of it. */
    async deleteMeetingAudio(id) {
        await this.#call("delete", "/meetings/{id}/audio", { path: { id } });
    }
    /**
     * Follows meetings, live: yields what happens until the caller leaves the loop, beginning with
     * `subscribed`. A connection that is lost is opened again, and the meetings are subscribed to
     * again: then there is another `subscribed`, and what was said meanwhile is in the transcript.
     * Fails where the key or the subscription is refused.
     */
    watchMeetings(meetings, options = {}) {
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
    async #call(method, path, input) {
        const { status, body: text, what } = await this.#send(method, path, input, textOf);
        if (text === "")
            return undefined;
        try {
            return JSON.parse(text);
        }
        catch (cause) {
            throw new VomeetClientError(`The response to ${what} is not JSON.`, { status, cause });
        }
    }
    async #send(method, path, input = {}, read) {
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
            if (!response.ok)
                throw await refusal(response, what);
            return { status: response.status, body: await read(response), what };
        }
        catch (error) {
            if (error instanceof VomeetClientError)
                throw error;
            throw new VomeetClientError(noResponse(what, error, this.#timeoutMs), { cause: error });
        }
    }
    #address(path, input) {
        const fill = (_, name) => segment(name, input.path?.[name]);
        const filled = path.replace(/\{(\w+)\}/g, fill);
        const url = new URL(filled.slice(1), this.#base);
        for (const [name, value] of Object.entries(input.query ?? {})) {
            if (value !== undefined && value !== null)
                url.searchParams.set(name, String(value));
        }
        return url;
    }
    #request(method, path, body) {
        const headers = {};
        const isAdmin = path.startsWith("/admin/") || path === "/healthz" || path === "/metrics";
        if (isAdmin && this.#adminKey)
            headers["X-Admin-API-Key"] = this.#adminKey;
        if (!isAdmin && this.#apiKey)
            headers["X-API-Key"] = this.#apiKey;
        const request = { method: method.toUpperCase(), headers };
        // A redirect is not followed: it would hand the key to another address.
        request.redirect = "manual";
        if (body instanceof FormData || body instanceof Blob) {
            // A form brings its media type, with its boundary.
            if (body instanceof Blob)
                headers["Content-Type"] = "application/octet-stream";
            request.body = body;
        }
        else if (body !== undefined) {
            headers["Content-Type"] = "application/json";
            request.body = JSON.stringify(body);
        }
        return request;
    }
    async #fetched(url, request, mayRepeat) {
        const once = () => fetch(url, { ...request, signal: AbortSignal.timeout(this.#timeoutMs) });
        try {
            return await once();
        }
        catch (error) {
            if (!mayRepeat || isTimeout(error))
                throw error;
            return once();
        }
    }
}
function textOf(response) {
    return response.text();
}
function blobOf(response) {
    return response.blob();
}
function isTimeout(error) {
    return error instanceof Error && error.name === "TimeoutError";
}
function noResponse(what, error, timeoutMs) {
    if (isTimeout(error))
        return `No response to ${what} within ${timeoutMs / 1000} s.`;
    return `No connection for ${what}: check that the server runs. ${String(error)}`;
}
/** The address below which all paths are. */
function baseOf(text) {
    let url;
    try {
        url = new URL(text.endsWith("/") ? text : `${text}/`);
    }
    catch (cause) {
        throw new VomeetClientError(`${text} is not an address.`, { cause });
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") {
        throw new VomeetClientError(`${text} is not an http or https address.`);
    }
    return url;
}
/** A key that a header can carry. */
function checked(key, name) {
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
        throw new VomeetClientError(`${name} has characters that no header can carry, or none.`);
    }
    return key;
}
/** A segment of a path, percent-encoded; one that is empty or dots would be another path. */
function segment(name, value) {
    const text = value === undefined || value === null ? "" : String(value);
    if (text === "" || text === "." || text === "..") {
        throw new VomeetClientError(`${name} cannot be ${JSON.stringify(text)} in a path.`);
    }
    return encodeURIComponent(text);
}
