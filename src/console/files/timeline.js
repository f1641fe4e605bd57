// The states that a meeting went through, with times and reasons.

import { html } from "./preact.js";
import { clock, dateTime, duration, reason, status, words } from "./format.js";

export function Timeline({ meeting }) {
  const steps = meeting.data?.status_transition ?? [];
  // A recording is completed from the beginning, and a planned bot is planned.
  const all = [{ to: steps[0]?.from ?? meeting.status, timestamp: meeting.created_at, source: "user" }, ...steps];
  return html`<ol class="timeline">${all.map((step, index) => {
    const [name, tone] = status(step.to);
    const next = all[index + 1];
    const seconds = next && (new Date(next.timestamp) - new Date(step.timestamp)) / 1000;
    const source = step.source && `by ${words(step.source).toLowerCase()}`;
    const why = step.completion_reason ? reason(step.completion_reason) : step.reason;
    const about = [why, source, seconds >= 1 && `for ${duration(seconds)}`];
    return html`<li class=${tone}>
      <div><strong>${name}</strong><time datetime=${step.timestamp}
        title=${dateTime(step.timestamp)}>${clock(step.timestamp)}</time></div>
      <p>${about.filter(Boolean).join(" · ")}</p>
    </li>`;
  })}</ol>`;
}

/// Why a meeting ended, in a sentence; empty while it goes on.
export function ending({ status: now, data }) {
  if (now === "completed") return data?.completion_reason ? reason(data.completion_reason) : "";
  if (now !== "failed") return "";
  const stage = data?.failure_stage ? ` while ${status(data.failure_stage)[0].toLowerCase()}` : "";
  const error = typeof data?.error === "string" ? data.error : data?.error?.message ?? "";
  return `It failed${stage}${error ? `: ${error}` : "."}`;
}
