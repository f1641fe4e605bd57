// The search in one's own transcripts.

import { html } from "./preact.js";
import { useFilter } from "./address.js";
import { get, usePages } from "./api.js";
import { dateTime, platform } from "./format.js";
import { Empty, Head, SearchField } from "./parts.js";
import { pageOf } from "./my-meetings.js";
import { Paged } from "./table.js";

export default function Search() {
  const [q, setQ] = useFilter("q");
  const [speaker, setSpeaker] = useFilter("speaker");
  const found = usePages(async (before) => {
    if (!q.trim()) return { rows: [], next: null };
    const page = await get("transcripts/search", { q, speaker, before, limit: 30 });
    return { rows: page.results, next: page.next };
  }, [q, speaker]);
  return html`
    <${Head} title="Search" lead="Words in all your transcripts, whatever their case and accents." />
    <div class="toolbar">
      <${SearchField} label="Words" placeholder="Words, “in this order”, or begin*" value=${q} set=${setQ} />
      <${SearchField} label="Speaker" value=${speaker} set=${setSpeaker} />
    </div>
    <div aria-live="polite"><${Paged} of=${found} lines=${5} empty=${nothing(q)}>${(rows) => html`
      <ul class="results">${rows.map((row) => html`<${Found} key=${row.id} of=${row} />`)}</ul>`}<//></div>`;
}

const nothing = (q) => (q.trim()
  ? html`<${Empty} icon="search" title="Nothing was said like that">Try fewer words, or the beginning of one
      with a star: plan*.<//>`
  : html`<${Empty} icon="search" title="What was said?">Type some words: segments that have them all are
      shown, newest first.<//>`);

const Found = ({ of: { highlight, speaker, meeting, absolute_start_time: at } }) => html`<li>
  <p>${highlighted(highlight)}</p>
  <p class="sub"><strong>${speaker ?? "Somebody"}</strong> in <a href=${pageOf({
    id: meeting.id, platform: meeting.platform, native_meeting_id: meeting.native_id,
  })}>${meeting.native_id}</a>, ${platform(meeting.platform)}, ${dateTime(at)}</p>
</li>`;

const PLAIN = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&amp;": "&" };
const unescaped = (text) => text.replace(/&(?:lt|gt|quot|amp|#39|#x27);/g, (entity) => PLAIN[entity]);

/// The server marks what it found in escaped HTML; here it becomes text and marks again.
function highlighted(text) {
  const parts = text.split(/<mark>(.*?)<\/mark>/s);
  return parts.map((part, index) => (index % 2 ? html`<mark>${unescaped(part)}</mark>` : unescaped(part)));
}
