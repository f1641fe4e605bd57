/** What is known of a call that did not succeed. */
export interface Failure {
    /** The HTTP status; null where no response came or no request was sent. */
    status?: number | null;
    /**
     * What the server said: a sentence, or for status 422 a list of faults with `type`, `loc` and
     * `msg`; the whole response where it has no `detail`, as that of `/ready` has none. Of a live feed
     * the word of its error, or the code with which it was closed.
     */
    detail?: unknown;
    /** The server's word for it, such as `expired`, where a key or a limit was the matter. */
    code?: string | null;
    /** The sentence that goes with the code. */
    reason?: string | null;
    /** What has caused it, if that is not the server. */
    cause?: unknown;
}
/** A call that did not succeed, or a live feed that ended. */
export declare class VomeetClientError extends Error {
    readonly name = "VomeetClientError";
    /** The HTTP status; null where no response came or no request was sent. */
    readonly status: number | null;
    /** What the server said; see {@link Failure.detail}. */
    readonly detail: unknown;
    /** The server's word for it; null where it has none. */
    readonly code: string | null;
    /** The sentence that goes with the code. */
    readonly reason: string | null;
    constructor(message: string, failure?: Failure);
}
/** The error that a response with a status from 400 on stands for. */
export declare function refusal(response: Response, what: string): Promise<VomeetClientError>;
