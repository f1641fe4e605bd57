// One meeting for an administrator: its timeline, its figures and what its bot printed.

import { html, useState } from "./preact.js";
import { get, post, useEvery, useLoad } from "./api.js";
import { Confirm } from "./dialog.js";
import { bytes, duration, isOver, language, number } from "./format.js";
import { Button, Card, Copy, Facts, Failed, Head, Loaded, Note, Place, Skeleton, Status, Time, say } from "./parts.js";
import { Timeline, ending } from "./timeline.js";
import { Words } from "./words.js";

export default function MeetingPage({ parts }) {
  const id = parts[1];
  const details = useLoad((signal) => get(`admin/analytics/meetings/${id}/telematics`, { include_transcriptions: true }, signal), [id]);
  const meeting = details.data?.meeting;
  const owner = useLoad((signal) => meeting && get(`admin/users/${meeting.user_id}`, {}, signal), [meeting?.user_id]);
  const log = useLoad((signal) => get(`admin/meetings/${id}/log`, {}, signal), [id]);
  const explained = useLoad((signal) => get(`admin/meetings/${id}/explain`, {}, signal), [id]);
  const [isStopping, stop] = useState(false);
  const isOpen = meeting && !isOver(meeting.status);
  useEvery(4, () => {
    if (!isOpen) return;
    details.reload();
    log.reload();
  });
  useEvery(20, () => isOpen && explained.reload());
  const back = { href: "#/meetings", text: "Meetings" };
  if (!meeting) {
    return html`<${Head} title="Meeting ${id}" back=${back} />
      ${details.error ? html`<${Failed} of=${details} />` : html`<${Skeleton} lines=${8} />`}`;
  }
  const { performance_metrics: times, transcription_stats: spoken } = details.data;
  const end = ending(meeting);
  return html`
    <${Head} title=${meeting.native_meeting_id ?? `Meeting ${id}`} lead=${html`<${Place}
      of=${meeting} /> · <${Status} of=${meeting.status} />`} back=${back}>
      ${isOpen && html`<${Button} kind="warn-text" icon="stop" onClick=${() => stop(true)}>Stop the bot<//>`}
    <//>
    <${Failed} of=${details} />
    ${end && html`<${Note} tone=${meeting.status === "failed" ? "warn" : "good"}>${end}<//>`}
    <${Card}><${Facts} rows=${[
      ["User", html`<a href="#/users/${meeting.user_id}">${owner.data?.email ?? `User ${meeting.user_id}`}</a>`],
      ["Sent", html`<${Time} at=${meeting.created_at} exact />`],
      ["Time to get in", duration(times?.admission_time ?? times?.join_time)],
      ["Length", duration(times?.total_duration)],
      ["Segments", spoken ? number(spoken.total_transcriptions) : "–"],
      ["Speakers", spoken ? number(spoken.unique_speakers) : "–"],
      ["Languages", spoken?.languages_detected.map(language).join(", ") || "–"],
      ["Bot", meeting.bot_container_id && html`<code>${meeting.bot_container_id}</code>`],
    ]} /><//>
    <${Card} title="Words"><${Loaded} of=${explained}>${(data) => html`<${Words} of=${data} />`}<//><//>
    <div class="columns">
      <${Card} title="Timeline"><${Timeline} meeting=${meeting} /><//>
      <${Card} title="What the bot printed" actions=${log.data?.log && html`<${Copy} text=${log.data.log} />`}>
        <${Loaded} of=${log}>${(data) => html`<${Log} of=${data} />`}<//>
      <//>
    </div>
    ${isStopping && html`<${Confirm} title="Stop this bot?" word="Stop" close=${() => stop(false)}
      run=${() => post(`admin/meetings/${id}/stop`)} done=${() => {
        say("The bot is asked to leave");
        stop(false);
        details.reload();
      }}><p>The bot leaves the meeting. What was said until then stays.</p><//>`}`;
}

function Log({ of: { log, log_bytes: size, is_whole: isWhole } }) {
  if (log === null) return html`<p class="faint">No log is kept: only the runner <code>process</code> keeps one,
    until the transcript is deleted.</p>`;
  if (!log) return html`<p class="faint">The bot has printed nothing.</p>`;
  return html`<pre class="log" tabindex="0" aria-label="The bot's log">${log}</pre>
    <p class="hint">${isWhole ? `All ${bytes(size)}.` : `The end of ${bytes(size)}.`}</p>`;
}
