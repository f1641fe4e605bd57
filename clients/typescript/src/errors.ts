// What goes wrong, as one error.

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
export class VomeetClientError extends Error {
  override readonly name = "VomeetClientError";
  /** The HTTP status; null where no response came or no request was sent. */
  readonly status: number | null;
  /** What the server said; see {@link Failure.detail}. */
  readonly detail: unknown;
  /** The server's word for it; null where it has none. */
  readonly code: string | null;
  /** The sentence that goes with the code. */
  readonly reason: string | null;

  constructor(message: string, failure: Failure = {}) {
    super(message, { cause: failure.cause });
    this.status = failure.status ?? null;
    this.detail = failure.detail ?? null;
    this.code = failure.code ?? null;
    this.reason = failure.reason ?? null;
  }
}

/** The error that a response with a status from 400 on stands for. */
export async function refusal(response: Response, what: string): Promise<VomeetClientError> {
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

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

/** The detail of an error response as one readable line. */
function describe(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return JSON.stringify(detail);
  const faults = detail.map((fault: { loc?: unknown[]; msg?: string }) => {
    const place = (fault.loc ?? []).join(".");
    return place ? `${place}: ${fault.msg}` : String(fault.msg);
  });
  return faults.join("; ");
}
