// All meetings of all users, with filters.

import { html } from "./preact.js";
import { useFilter } from "./address.js";
import { get, useEvery, usePages } from "./api.js";
import { PLATFORMS, STATUSES, dayBefore, duration, platform } from "./format.js";
import { Empty, Head, SearchField, Select, Status, Time } from "./parts.js";
import { PagedTable } from "./table.js";

const STATES = [["", "Every state"], ["open", "Open"], ...Object.entries(STATUSES).map(([key, [name]]) => [key, name])];
const PLATFORM_CHOICES = [["", "Every platform"], ...Object.entries(PLATFORMS)];
const SPANS = [["", "At any time"], ["0", "Today"], ["6", "In the last 7 days"], ["29", "In the last 30 days"]];

export default function Meetings() {
  const [status, setStatus] = useFilter("status");
  const [where, setWhere] = useFilter("platform");
  const [span, setSpan] = useFilter("days");
  const [native, search] = useFilter("id");
  const meetings = usePages(async (before) => {
    const from = span && `${dayBefore(Number(span))}T00:00:00.000Z`;
    const asked = { status, platform: where, native_meeting_id: native.trim(), from, before, limit: 50 };
    const page = await get("admin/meetings/search", asked);
    return { rows: page.meetings, next: page.next };
  }, [status, where, span, native]);
  useEvery(10, meetings.refresh);
  const isFiltered = status || where || span || native;
  const empty = isFiltered
    ? html`<${Empty} icon="search" title="No meeting is like that">Choose another state, platform or time.<//>`
    : html`<${Empty} icon="meeting" title="No meetings yet">A meeting begins when a user sends a bot: with their
      token, on their own page of this console or by the API.<//>`;
  return html`
    <${Head} title="Meetings" lead="The meetings of all users, newest first." />
    <div class="toolbar">
      <${SearchField} label="Meeting id" placeholder="Meeting id, such as abc-defg-hij" value=${native} set=${search} />
      <${Select} label="State" value=${status} set=${setStatus} options=${STATES} />
      <${Select} label="Platform" value=${where} set=${setWhere} options=${PLATFORM_CHOICES} />
      <${Select} label="Time" value=${span} set=${setSpan} options=${SPANS} />
    </div>
    <${MeetingsTable} of=${meetings} empty=${empty} owner />`;
}

export function MeetingsTable({ of, empty, owner, lines }) {
  return html`<${PagedTable} of=${of} label="Meetings" empty=${empty} lines=${lines} columns=${[
    { head: "Meeting", kind: "main", cell: (meeting) => html`
      <a class="row-link" href="#/meetings/${meeting.id}">${meeting.native_meeting_id ?? `Meeting ${meeting.id}`}</a>
      <span class="sub">${platform(meeting.platform)}${meeting.native_meeting_id ? ""
        : " · its data were deleted"}</span>` },
    owner && { head: "User", cell: (meeting) => html`<a href="#/users/${meeting.user_id}">${meeting.email}</a>` },
    { head: "State", cell: (meeting) => html`<${Status} of=${meeting.status} />` },
    { head: "Length", kind: "num", cell: (meeting) => length(meeting) },
    { head: "Sent", cell: (meeting) => html`<${Time} at=${meeting.created_at} />` },
  ].filter(Boolean)} />`;
}

/// How long a bot was in a meeting, or has been until now.
export function length({ start_time: start, end_time: end }) {
  if (!start) return "–";
  return duration((new Date(end ?? Date.now()) - new Date(start)) / 1000);
}
