// What a meeting that goes on misses: sound, words or names. What its words wait for.

import { html } from "./preact.js";
import { duration, plural } from "./format.js";
import { Note } from "./parts.js";

/// `of` is one's own meeting by its id: its alarms that are not over; nothing where there is none.
export const Alarms = ({ of }) => of.alarms.filter((alarm) => !alarm.cleared_at).map((alarm) => html`
  <${Note} key=${alarm.kind} tone="warn">${alarm.what_to_do}<//>`);

/// How late words are, as the live feed says.
export const Late = ({ of: { seconds, windows } }) => html`<${Note} tone="warn">Words are ${duration(seconds)}${" "}
  late: ${plural(windows, "stretch", "stretches")} of sound wait for an engine.<//>`;

/// How far the words of a recording are; nothing once all of them are there.
export function Progress({ of: { state, percent, error } }) {
  if (state === "done") return null;
  if (state === "failed") return html`<${Note} tone="warn">No words were made of this recording: ${error}<//>`;
  return html`<${Note} tone="">Words are made of this recording: ${percent} % of them are there. ${error}<//>`;
}
