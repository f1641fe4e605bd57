// Corrections of a transcript: other words in a line, another name of a speaker.

import { html, useState } from "./preact.js";
import { patch } from "./api.js";
import { FormDialog } from "./dialog.js";
import { Field } from "./parts.js";

/// Corrects a line; an empty one has back what was heard.
export function LineDialog({ meeting, segment, close, done }) {
  const heard = segment.original_text ?? segment.text;
  const [text, setText] = useState(segment.text);
  const path = `transcripts/by-id/${meeting.id}/segments/${encodeURIComponent(segment.segment_id)}`;
  const save = () => patch(path, { text: text.trim() || null });
  const hint = segment.corrected ? `It was heard as: ${heard}` : "Empty it later to have back what was heard.";
  return html`<${FormDialog} title="Correct a line" close=${close} save=${save}
    done=${done("The line is corrected")} word="Save">
    ${(faults) => html`<${Field} as="textarea" rows="5" label="Words" value=${text} set=${setText}
      error=${faults.text} hint=${hint} />`}
  <//>`;
}

/// Names a speaker in the whole meeting; an empty name has back the one that came.
export function SpeakerDialog({ meeting, speaker, close, done }) {
  const [name, setName] = useState(speaker ?? "");
  const path = `transcripts/by-id/${meeting.id}/speakers`;
  const save = () => patch(path, { from: speaker, to: name.trim() || null });
  return html`<${FormDialog} title="Name a speaker" close=${close} save=${save}
    done=${done("The speaker is named")} word="Save">
    ${(faults) => html`<${Field} label="Name" value=${name} set=${setName} error=${faults.to} autocomplete="off"
      hint="In the whole meeting, also in what is said later. Empty it to have back the name that came." />`}
  <//>`;
}
