// The search in one's own transcripts.

import { html, useState } from "./preact.js";
import { get, usePages } from "./api.js";
import { dateTime, platform } from "./format.js";
import { Button, Empty, Head, Note, SearchField, Skeleton } from "./parts.js";
import { pageOf } from "./my-meetings.js";

export default function Search() {
  const [q, setQ] = useState("");
  const [speaker, setSpeaker] = useState("");
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
    ${found.error && html`<${Note} again=${found.reload}>${found.error.message}<//>`}
    <div aria-live="polite">${!found.error && html`<${Results} found=${found} q=${q} />`}</div>
    ${found.more && html`<div class="more"><${Button} busy=${found.isLoadingMore} onClick=${found.more}>Show more<//></div>`}`;
}

function Results({ found, q }) {
  if (!found.rows) return html`<${Skeleton} lines=${5} kind="rows" />`;
  if (!q.trim()) {
    return html`<${Empty} icon="search" title="What was said?">Type some words: segments that have them all are
      shown, newest first.<//>`;
  }
  if (!found.rows.length && !found.isLoading) {
    return html`<${Empty} icon="search" title="Nothing was said like that">Try fewer words, or the beginning of one
      with a star: plan*.<//>`;
  }
  return html`<ul class="results">${found.rows.map((row) => html`<li key=${row.id}>
    <p>${highlighted(row.highlight)}</p>
    <p class="sub"><strong>${row.speaker ?? "Somebody"}</strong> in <a href=${pageOf({
      id: row.meeting.id, platform: row.meeting.platform, native_meeting_id: row.meeting.native_id,
    })}>${row.meeting.native_id}</a>, ${platform(row.meeting.platform)}, ${dateTime(row.absolute_start_time)}</p>
  </li>`)}</ul>`;
}

const PLAIN = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&amp;": "&" };
const unescaped = (text) => text.replace(/&(?:lt|gt|quot|amp|#39|#x27);/g, (entity) => PLAIN[entity]);

/// The server marks what it found in escaped HTML; here it becomes text and marks again.
function highlighted(text) {
  const parts = text.split(/<mark>(.*?)<\/mark>/s);
  return parts.map((part, index) => (index % 2 ? html`<mark>${unescaped(part)}</mark>` : unescaped(part)));
}
