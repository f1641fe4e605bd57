import type { Arguments, Operation, PathsWith, Result } from "./calls.js";
import type { LiveEvent, MeetingName, SocketConstructor, WatchOptions } from "./live.js";
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
/** A client of one server. Every failure is a {@link VomeetClientError}. */
export declare class VomeetClient {
    #private;
    constructor(options?: ClientOptions);
    /** GET; the response is JSON. */
    get<P extends PathsWith<"get">>(path: P, ...input: Arguments<Operation<P, "get">>): Promise<Result<Operation<P, "get">>>;
    /** POST. */
    post<P extends PathsWith<"post">>(path: P, ...input: Arguments<Operation<P, "post">>): Promise<Result<Operation<P, "post">>>;
    /** PUT. */
    put<P extends PathsWith<"put">>(path: P, ...input: Arguments<Operation<P, "put">>): Promise<Result<Operation<P, "put">>>;
    /** PATCH. */
    patch<P extends PathsWith<"patch">>(path: P, ...input: Arguments<Operation<P, "patch">>): Promise<Result<Operation<P, "patch">>>;
    /** DELETE. */
    delete<P extends PathsWith<"delete">>(path: P, ...input: Arguments<Operation<P, "delete">>): Promise<Result<Operation<P, "delete">>>;
    /** GET of a response that is text: subtitles, CSV, metrics. */
    getText<P extends PathsWith<"get">>(path: P, ...input: Arguments<Operation<P, "get">>): Promise<string>;
    /**
     * Follows meetings, live: yields what happens until the caller leaves the loop, beginning with
     * `subscribed`. A connection that is lost is opened again, and the meetings are subscribed to
     * again: then there is another `subscribed`, and what was said meanwhile is in the transcript.
     * Fails where the key or the subscription is refused.
     */
    watchMeetings(meetings: readonly MeetingName[], options?: WatchOptions): AsyncGenerator<LiveEvent, void, undefined>;
}
