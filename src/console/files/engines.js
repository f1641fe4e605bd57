// Words of sound for an administrator: which engines there are, how they do, how far words are behind.

import { html } from "./preact.js";
import { duration, number, plural, reasonWithheld, words } from "./format.js";
import { Badge, Card, Empty, Facts, Loaded, Meter, Time } from "./parts.js";
import { Table } from "./table.js";

const HEALTH = {
  untried: ["Not tried yet", "wait"],
  well: ["Well", "live"],
  resting: ["Rests", "bad"],
  due: ["Tried with the next sound", "bad"],
};
const EXAMPLE = `[[transcription.engines]]
name = "office"
url = "http://127.0.0.1:8000/v1"
model = "large-v3"`;

export function Engines({ of: transcription }) {
  const list = html`<${Card} title="Engines"><${Loaded} of=${transcription}>${(data) => html`<${List}
    of=${data} />`}<//><//>`;
  const isNone = transcription.data && !transcription.data.engines.length && !transcription.data.user_engines;
  if (isNone) return list;
  return html`<div class="columns uneven">${list}
    <${Card} title="Words of sound"><${Loaded} of=${transcription}>${(data) => html`<${Lag} of=${data} />`}<//><//>
  </div>`;
}

function List({ of: { engines, user_engines: hasOwn } }) {
  const own = hasOwn && html`<p class="hint">Users may have an engine of their own.</p>`;
  if (!engines.length) {
    return html`<${Empty} icon="sound" title="No engine makes words of sound"
      action=${html`<pre class="log" tabindex="0" aria-label="Lines of vomeet.toml">${EXAMPLE}</pre>`}>Add one
      to <code>vomeet.toml</code> and start the server again; or set <code>whisper_model</code> in the
      section <code>[transcription]</code>, for Whisper inside.<//>${own}`;
  }
  return html`<${Table} label="Engines" rows=${engines} keyOf=${(engine) => engine.name} columns=${[
    { head: "Engine", kind: "main", cell: (engine) => html`<strong>${engine.name}</strong><span
      class="sub">${engine.kind === "inside" ? "Whisper inside, " : ""}${engine.model}</span>` },
    { head: "State", cell: (engine) => html`<${Health} of=${engine} />` },
    { head: "Requests now", kind: "num", cell: (engine) => `${number(engine.requests_now)} of ${
      number(engine.requests_max)}` },
    { head: "Speed", kind: "num", cell: (engine) => (engine.sound_per_second === null
      ? html`<span class="faint">not measured</span>`
      : html`${number(engine.sound_per_second)} s<span class="sub">of sound a second, each</span>`) },
    { head: "Since the start", kind: "num", cell: (engine) => html`<${Counted} of=${engine} />` },
  ]} />${own}`;
}

function Health({ of: { health, answered_at: answered, last_failure: failure } }) {
  const [name, tone] = HEALTH[health] ?? [words(health), "done"];
  return html`<${Badge} tone=${tone}>${name}<//>
    ${answered && html`<span class="sub">answered <${Time} at=${answered} /></span>`}
    ${failure && html`<span class="sub">failed <${Time} at=${failure.at} />: ${failure.why}</span>`}`;
}

function Counted({ of: engine }) {
  const failed = Object.values(engine.failures).reduce((sum, count) => sum + count, 0);
  const about = [failed && `${number(failed)} failed`, engine.refused && `${number(engine.refused)} refused`];
  return html`${plural(engine.requests, "request")}<span class="sub">${duration(engine.sound_seconds)} of
    sound</span><span class="sub">${about.filter(Boolean).join(", ")}</span>`;
}

function Lag({ of: { live, waiting, withheld, since } }) {
  const reasons = Object.entries(withheld).filter(([, count]) => count > 0);
  const most = Math.max(...reasons.map(([, count]) => count));
  return html`
    <${Facts} rows=${[
      ["Live meetings", live.meetings_max === null ? number(live.meetings)
        : `${number(live.meetings)} of ${number(live.meetings_max)}`],
      ["Live sounds", number(live.sounds)],
      ["Waiting, live", html`${plural(waiting.live, "window")}${waiting.oldest_live_at && html`<span
        class="sub">the oldest: <${Time} at=${waiting.oldest_live_at} /></span>`}`],
      ["Waiting, recorded", plural(waiting.recordings, "window")],
    ]} />
    ${live.meetings_max === null && html`<p class="hint">With how many live meetings engines keep up is known once one
      was measured and does not rest.</p>`}
    <h3>Withheld since <${Time} at=${since} exact /></h3>
    ${reasons.length ? html`<ul class="meters">${reasons.map(([reason, count]) => html`<li>
        <span>${words(reasonWithheld(reason))}</span><${Meter} max=${most} value=${count}
          label="${reasonWithheld(reason)}: ${count}" /><span class="figure">${number(count)}</span>
      </li>`)}</ul>` : html`<p class="faint">Nothing that an engine heard was withheld.</p>`}`;
}
