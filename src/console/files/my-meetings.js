// One's own meetings: paste a link to send a bot, and see where the others are.

import { html, useState } from "./preact.js";
import { useFilter } from "./address.js";
import { get, post, useEvery, useLoad, usePages } from "./api.js";
import { LANGUAGES, PLATFORMS, STATUSES, language, platform } from "./format.js";
import { Button, Empty, Field, Head, Note, Select, Status, Time, say, useAction } from "./parts.js";
import { length } from "./meetings.js";
import { PagedTable } from "./table.js";
import { Choice } from "./tokens.js";
import { Seats } from "./users.js";

const PAGE = 50;
const STATES = [["", "Every state"], ...Object.entries(STATUSES).map(([key, [name]]) => [key, name])];

/// The address of a meeting's page.
export const pageOf = ({ id, platform: where, native_meeting_id: native }) =>
  `#/meetings/${where}/${encodeURIComponent(native)}?id=${id}`;

export default function MyMeetings() {
  const [status, setStatus] = useFilter("status");
  const [where, setWhere] = useFilter("platform");
  const me = useLoad((signal) => get("user", {}, signal), []);
  const meetings = usePages(async (skip) => {
    const { meetings: rows } = await get("meetings", { status, platform: where, skip, limit: PAGE });
    return { rows, next: rows.length === PAGE ? (skip ?? 0) + PAGE : null };
  }, [status, where]);
  // Every request counts as use of the token: where no bot is on its way, less is asked.
  const isBusy = me.data?.seats_in_use > 0;
  useEvery(isBusy ? 5 : 60, () => {
    meetings.refresh();
    me.reload();
  });
  const empty = status || where
    ? html`<${Empty} icon="search" title="No meeting is like that">Choose another state or platform.<//>`
    : html`<${Empty} icon="bot" title="No meetings yet">Paste the link of a meeting above. A bot goes there,
      listens, and its transcript grows here.<//>`;
  return html`
    <${Head} title="Meetings" lead="Where your bots are and were, and what was said.">
      ${me.data ? html`<${Seats} used=${me.data.seats_in_use} of=${me.data.max_concurrent_bots}
        unit=" bots in use" />` : html`<span class="seats"> </span>`}
    <//>
    <${SendBot} seats=${me.data} />
    <div class="toolbar">
      <${Select} label="State" value=${status} set=${setStatus} options=${STATES} />
      <${Select} label="Platform" value=${where} set=${setWhere}
        options=${[["", "Every platform"], ...Object.entries(PLATFORMS)]} />
    </div>
    <${PagedTable} of=${meetings} label="Meetings" empty=${empty} columns=${[
      { head: "Meeting", kind: "main", cell: (meeting) => html`<${Name} of=${meeting} />` },
      { head: "State", cell: (meeting) => html`<${Status} of=${meeting.status} />` },
      { head: "Length", kind: "num", cell: length },
      { head: "Sent", cell: (meeting) => html`<${Time} at=${meeting.created_at} />` },
    ]} />`;
}

function Name({ of }) {
  const { data, native_meeting_id: native } = of;
  if (!native) return html`<span class="faint">Deleted</span><span class="sub">${platform(of.platform)}</span>`;
  return html`<a class="row-link" href=${pageOf(of)}>${data.name ?? native}</a>
    <span class="sub">${platform(of.platform)}${data.name ? ` · ${native}` : ""}</span>`;
}

function SendBot({ seats }) {
  const [link, setLink] = useState("");
  const [name, setName] = useState("");
  const [spoken, setSpoken] = useState("");
  const [task, setTask] = useState("transcribe");
  const [passcode, setPasscode] = useState("");
  const { busy, error, act } = useAction(async () => {
    const body = { meeting_url: link.trim(), bot_name: name || null, passcode: passcode || null, task };
    if (spoken) body.language = spoken;
    const meeting = await post("bots", body);
    say("A bot is on its way");
    location.hash = pageOf(meeting);
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy) act();
  };
  const faults = error?.fields ?? {};
  const fault = faults.meeting_url ?? (error && !Object.keys(faults).length ? error.message : null);
  const mayNone = seats && seats.max_concurrent_bots === 0;
  return html`<form class="card send" onSubmit=${submit} novalidate>
    ${mayNone && html`<${Note} tone="warn">You may send no bot yet. Ask an administrator to raise your limit.<//>`}
    <div class="inline">
      <${Field} label="Send a bot to a meeting" type="url" placeholder="Paste a meeting link" value=${link}
        set=${setLink} error=${fault}
        autocomplete="off" spellcheck="false" />
      <${Button} type="submit" kind="primary" icon="bot" busy=${busy} disabled=${!link.trim()}>Send a bot<//>
    </div>
    <details><summary>Name, language, passcode</summary>
      <div class="two">
        <${Field} label="Name of the bot" value=${name} set=${setName} error=${faults.bot_name}
          autocomplete="off" />
        <${Field} label="Passcode" value=${passcode} set=${setPasscode} error=${faults.passcode}
          autocomplete="off" />
        <${LanguageChoice} value=${spoken} set=${setSpoken} error=${faults.language} none="Find out" />
        <${Choice} label="Task" value=${task} set=${setTask}
          options=${[["transcribe", "Transcribe"], ["translate", "Translate to English"]]} />
      </div>
    </details>
  </form>`;
}

export function LanguageChoice({ none, ...rest }) {
  const named = LANGUAGES.map((code) => [code, language(code)]).sort(([, one], [, other]) => one.localeCompare(other, "en"));
  return html`<${Choice} label="Language" options=${[["", none], ...named]} ...${rest} />`;
}
