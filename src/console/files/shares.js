// Share links of a meeting: by each, anyone reads its words until the link ends.

import { html, useState } from "./preact.js";
import { get, post, remove, useLoad } from "./api.js";
import { Confirm, FormDialog, Reveal } from "./dialog.js";
import { Button, Card, Loaded, Time, say } from "./parts.js";
import { sentId } from "./session.js";
import { Table } from "./table.js";
import { Choice } from "./tokens.js";

const DAY = 86_400;
const ENDS = [[DAY, "In a day"], [7 * DAY, "In a week"], [30 * DAY, "In 30 days"], [90 * DAY, "In 90 days"]];

export function Shares({ meeting, name }) {
  const list = useLoad((signal) => get("user/shares", {}, signal), []);
  const [asked, ask] = useState(null);
  const [fresh, reveal] = useState(null);
  const made = (share) => {
    say("The link is made");
    ask(null);
    reveal(share);
    list.reload();
  };
  const revoked = () => {
    say("The link is revoked");
    ask(null);
    list.reload();
  };
  const create = html`<${Button} kind="small" icon="link" onClick=${() => ask({ what: "create" })}>Share<//>`;
  return html`<${Card} title="Share links" actions=${create}>
    <${Loaded} of=${list} lines=${2}>${({ shares }) => {
      const rows = shares.filter((one) => one.meeting_id === meeting.id);
      return rows.length ? html`<${Table} label="Share links" rows=${rows} columns=${[
        { head: "Made", kind: "main", cell: (one) => html`<${Time} at=${one.created_at} exact />` },
        { head: "Ends", cell: (one) => html`<${Time} at=${one.expires_at} exact />` },
        { head: "What to do", kind: "act", cell: (one) => html`<div class="row-actions"><${Button}
          kind="small warn-text" label="Revoke link ${one.id}"
          onClick=${() => ask({ what: "revoke", share: one })}>Revoke<//></div>` },
      ]} />` : html`<p class="faint">Nobody else can read this transcript.</p>`;
    }}<//>
    ${asked?.what === "create" && html`<${ShareDialog} meeting=${meeting} name=${name} close=${() => ask(null)}
      done=${made} />`}
    ${asked?.what === "revoke" && html`<${Confirm} title="Revoke this link?" word="Revoke" close=${() => ask(null)}
      run=${() => remove(`user/shares/${asked.share.id}`)} done=${revoked}>
      <p>Whoever has it reads nothing any more.</p><//>`}
    ${fresh && html`<${Reveal} title="The link is made" secret=${fresh.url} close=${() => reveal(null)}
      name="link" warning="Copy it now. Whoever has it reads this transcript; it is not shown again.">
      <p class="hint">It ends <${Time} at=${fresh.expires_at} exact />. With .md or .json at its end it is Markdown
        or JSON.</p><//>`}
  <//>`;
}

function ShareDialog({ meeting, name, close, done }) {
  const [end, setEnd] = useState(String(7 * DAY));
  // Of several meetings at one link it is this one, and not the newest.
  const query = new URLSearchParams({ meeting_id: sentId(meeting.id) });
  const save = () => post(`transcripts/${name}/share?${query}`, { expires_in: Number(end) });
  return html`<${FormDialog} title="Share this transcript" close=${close} save=${save} done=${done}
    word="Make a link">
    ${(faults) => html`<p>Anyone with the link reads the words of this meeting, without an account.</p>
      <${Choice} label="Ends" value=${end} set=${setEnd} options=${ENDS} error=${faults.expires_in} />`}
  <//>`;
}
