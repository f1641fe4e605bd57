// What was posted to a webhook, and sending it again.

import { html } from "./preact.js";
import { get, post, usePages } from "./api.js";
import { dateTime, words } from "./format.js";
import { Badge, Button, Empty, Note, Time, say, useAction } from "./parts.js";
import { PagedTable } from "./table.js";

const PAGE = 20;
const STATES = { waiting: ["Waiting", "wait"], delivered: ["Delivered", "live"], given_up: ["Given up", "bad"] };

export function Deliveries({ path, resendPath, hrefOf }) {
  const deliveries = usePages(async (before) => {
    const { deliveries: rows } = await get(path, { before, limit: PAGE });
    return { rows, next: rows.length === PAGE ? rows.at(-1).id : null };
  }, [path]);
  const resend = useAction(async (one) => {
    await post(resendPath(one));
    say("The event is sent again");
    await deliveries.reload();
  });
  const empty = html`<${Empty} icon="webhook" title="Nothing was posted yet">
    Each time the status of a meeting changes, an event is posted to the webhook.<//>`;
  return html`
    ${resend.error && html`<${Note}>${resend.error.message}<//>`}
    <${PagedTable} of=${deliveries} label="Deliveries" empty=${empty} lines=${3} columns=${[
      { head: "Event", kind: "main", cell: (one) => html`<strong>${words(one.event_type.split(".").at(-1))}</strong>
        <span class="sub">${hrefOf ? html`<a href=${hrefOf(one)}>Meeting ${one.meeting_id}</a>`
          : `Meeting ${one.meeting_id}`}</span>` },
      { head: "State", cell: (one) => html`<${State} of=${one} />` },
      { head: "Posted", cell: (one) => html`<${Time} at=${one.created_at} />` },
      { head: "What to do", kind: "act", cell: (one) => html`<div class="row-actions"><${Button} kind="small"
        busy=${resend.busy}
        onClick=${() => resend.act(one)} label="Send again: delivery ${one.id}">Send again<//></div>` },
    ]} />`;
}

function State({ of }) {
  const [name, tone] = STATES[of.state] ?? [words(of.state), "done"];
  const outcome = of.last_error ?? (of.last_status && `Response ${of.last_status}`);
  const isLater = of.next_at && new Date(of.next_at) > Date.now();
  const parts = [outcome, of.attempts > 1 && `${of.attempts} attempts`, isLater && `next attempt ${dateTime(of.next_at)}`];
  return html`<${Badge} tone=${tone}>${name}<//><span class="sub">${parts.filter(Boolean).join(" · ")}</span>`;
}
