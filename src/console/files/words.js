// What became of a meeting's sound, for an administrator: what is wrong, what to do, what waits.

import { html } from "./preact.js";
import { duration, number, plural, reasonWithheld, words } from "./format.js";
import { Facts, Note } from "./parts.js";

const IS_FINE = new Set(["none", "deleted"]);

/// `of` is the explanation of a meeting.
export function Words({ of: { fault, sentence, what_to_do: todo, sounds, windows, withheld, engine_errors: errors } }) {
  const behind = Math.max(0, ...sounds.map((sound) => sound.behind_seconds));
  const counts = Object.entries(windows).filter(([kind]) => kind !== "waiting");
  return html`
    ${IS_FINE.has(fault) ? html`<p>${sentence}</p>` : html`<${Note} tone="warn">${sentence} ${todo}<//>`}
    <${Facts} rows=${[
      ["Sounds", number(sounds.length)],
      sounds.length > 0 && ["Not listened to yet", duration(behind)],
      ["Waiting for an engine", plural(windows.waiting ?? 0, "window")],
      ...counts.map(([kind, count]) => [`Windows: ${words(kind).toLowerCase()}`, number(count)]),
      ...Object.entries(withheld).map(([reason, count]) => [`Withheld: ${reasonWithheld(reason)}`, number(count)]),
    ]} />
    ${errors.length > 0 && html`<p class="hint">${errors[0].error} Tried ${plural(errors[0].attempts, "time")}.</p>`}`;
}
