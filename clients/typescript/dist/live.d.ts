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
    payload: {
        segments: LiveSegment[];
        removed?: string[];
    };
    ts: string;
}
/** A meeting has a new status. */
export interface StatusEvent {
    type: "meeting.status";
    meeting: LiveMeeting;
    payload: {
        status: string;
    };
    ts: string;
}
/** What happens in the meetings that are followed. */
export type LiveEvent = SubscribedEvent | TranscriptEvent | StatusEvent;
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
    addEventListener(type: "message", listener: (event: {
        data: unknown;
    }) => void): void;
    addEventListener(type: "close", listener: (event: {
        code: number;
        reason: string;
    }) => void): void;
}
export type SocketConstructor = new (url: string) => Socket;
/** Follows meetings over sockets that `open` opens. */
export declare function watch(open: () => Promise<Socket>, meetings: readonly MeetingName[], timeoutMs: number, options: WatchOptions): AsyncGenerator<LiveEvent, void, undefined>;
