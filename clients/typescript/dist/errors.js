// What goes wrong, as one error.
/** A call that did not succeed, or a live feed that ended. */
export class VomeetClientError extends Error {
    name = "VomeetClientError";
    /** The HTTP status; null where no response came or no request was sent. */
    status;
    /** What the server said; see {@link Failure.detail}. */
    detail;
    /** The server's word for it; null where it has none. */
    code;
    /** The sentence that goes with the code. */
    reason;
    constructor(message, failure = {}) {
        super(message, { cause: failure.cause });
        this.status = failure.status ?? null;
        this.detail = failure.detail ?? null;
        this.code = failure.code ?? null;
        this.reason = failure.reason ?? null;
    }
}
/** The error that a response with a status from 400 on stands for. */
export async function refusal(response, what) {
    const { status } = response;
    const text = await response.text();
    const said = parsed(text) ?? { detail: text.slice(0, EXCERPT_CHARACTERS) || response.statusText };
    const reason = typeof said.reason === "string" ? said.reason : null;
    const code = typeof said.code === "string" ? said.code : null;
    const detail = said.detail ?? said;
    const sentence = [describe(detail), reason].filter(Boolean).join(" ");
    const message = `${sentence} (HTTP ${status} for ${what})`;
    return new VomeetClientError(message, { status, detail, code, reason });
}
/** Longest excerpt of a response that is not JSON, in characters. */
const EXCERPT_CHARACTERS = 200;
function parsed(text) {
    try {
        const value = JSON.parse(text);
        return typeof value === "object" && value !== null ? { ...value } : null;
    }
    catch {
        return null;
    }
}
/** The detail of an error response as one readable line. */
function describe(detail) {
    if (typeof detail === "string")
        return detail;
    if (!Array.isArray(detail))
        return JSON.stringify(detail);
    const faults = detail.map((fault) => {
        const place = (fault.loc ?? []).join(".");
        return place ? `${place}: ${fault.msg}` : String(fault.msg);
    });
    return faults.join("; ");
}
