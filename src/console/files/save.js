// A transcript as a file: text, subtitles or Markdown.

import { html } from "./preact.js";
import { download, save } from "./api.js";
import { dateTime, platform, position } from "./format.js";
import { Button, Note, useAction } from "./parts.js";
import { sentId } from "./session.js";
import { runs } from "./spoken.js";

const FORMATS = ["txt", "srt", "vtt", "md"];

export function Save({ meeting, name, segments }) {
  const file = (meeting.data.name ?? meeting.native_meeting_id).replace(/[^\p{L}\p{N}.-]+/gu, "-");
  const { error, act } = useAction(async (format) => {
    if (format === "md") save(new Blob([markdown(meeting, segments)], { type: "text/markdown" }), `${file}.md`);
    else await download(`transcripts/${name}`, { meeting_id: sentId(meeting.id), format }, `${file}.${format}`);
  });
  return html`<span class="faint">Save as</span>${FORMATS.map((format) => html`<${Button} kind="small"
    onClick=${() => act(format)}
      label="Save the transcript as ${format}">${format}<//>`)}
    ${error && html`<${Note}>${error.message}<//>`}`;
}

const said = (run) => run.segments.map((segment) => segment.text.trim()).join(" ");

export const plainText = (segments) =>
  runs(segments).map((run) => `${run.speaker ?? "Somebody"}: ${said(run)}`).join("\n");

function markdown(meeting, segments) {
  const final = segments.filter((segment) => segment.completed);
  const first = final.length ? new Date(final[0].absolute_start_time) : null;
  const lines = runs(final).map((run) => {
    const at = position((new Date(run.segments[0].absolute_start_time) - first) / 1000);
    return `**${escaped(run.speaker ?? "Somebody")}** (${at}): ${escaped(said(run))}\n`;
  });
  const title = escaped(meeting.data.name ?? meeting.native_meeting_id);
  return `# ${title}\n\n${platform(meeting.platform)}, ${dateTime(meeting.start_time ?? meeting.created_at)}\n\n${lines.join("\n")}`;
}

/// What is said is text and no mark-up.
const escaped = (text) => text.replace(/[\\`*_[\]<>#|]/g, "\\$&");
