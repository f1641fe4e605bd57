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
    segments: {
        id: number;
        start: number;
        end: number;
        text: string;
    }[];
    words?: {
        word: string;
        start: number;
        end: number;
        probability?: number;
    }[];
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
    /** Has words made of a sound of at most 25 MiB and ten minutes, and waits for them. */
    transcribeFile(file: Blob, options?: TranscribeOptions): Promise<Transcription>;
    /**
     * Uploads a recording: it becomes a finished meeting, whose words are made behind it.
     * `GET /meetings/{id}` says in `transcription` how far they are.
     */
    uploadMeeting(file: Blob, options?: UploadOptions): Promise<{
        bot_container_id: string | null;
        constructed_meeting_url: string | null;
        created_at: import("./index.js").components["schemas"]["Time"];
        data: import("./index.js").components["schemas"]["Data"];
        end_time: import("./index.js").components["schemas"]["Time"] | null;
        id: import("./index.js").components["schemas"]["MeetingId"];
        native_meeting_id: string | null;
        platform: import("./index.js").components["schemas"]["StoredPlatform"];
        start_time: import("./index.js").components["schemas"]["Time"] | null;
        status: import("./index.js").components["schemas"]["StoredMeetingStatus"];
        updated_at: import("./index.js").components["schemas"]["Time"];
        user_id: import("./index.js").components["schemas"]["UserId"];
    }>;
    /**
     * Gets a sound of a meeting while the server keeps it: Ogg with Opus, or WAV. Without `sound` it is
     * the first; `GET /meetings/{id}/explain` lists them.
     */
    getMeetingAudio(id: number, sound?: number): Promise<Blob>;
    /** Deletes the sound of a meeting, and nothing else of it. */
    deleteMeetingAudio(id: number): Promise<void>;
    /**
     * Follows meetings, live: yields what happens until the caller leaves the loop, beginning with
     * `subscribed`. A connection that is lost is opened again, and the meetings are subscribed to
     * again: then there is another `subscribed`, and what was said meanwhile is in the transcript.
     * Fails where the key or the subscription is refused.
     */
    watchMeetings(meetings: readonly MeetingName[], options?: WatchOptions): AsyncGenerator<LiveEvent, void, undefined>;
}
