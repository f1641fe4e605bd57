// Further webhooks of one's own: each hears of the events chosen for it, signed with its own secret.

import { html, useState } from "./preact.js";
import { get, patch, post, remove, useLoad } from "./api.js";
import { Confirm, FormDialog, Reveal } from "./dialog.js";
import { Button, Card, Check, Empty, Field, Loaded, Note, Time, say, useAction } from "./parts.js";
import { Table } from "./table.js";
import { Choice } from "./tokens.js";

const DAY = 86_400;
const EVENTS = {
  "meeting.status_change": ["Status changes", "A meeting begins, ends or fails."],
  "transcript.ready": ["Transcript ready", "A meeting is over, and no more words come."],
};
const GRACES = [[0, "At once"], [3600, "In an hour"], [DAY, "In a day"], [7 * DAY, "In a week"]];

const eventName = (event) => EVENTS[event]?.[0] ?? event;
/// The first webhook has the id 0 and a card of its own.
const isFurther = (webhook) => webhook.id > 0;

export function MoreWebhooks() {
  const list = useLoad((signal) => get("user/webhooks", {}, signal), []);
  const [asked, ask] = useState(null);
  const [fresh, reveal] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const test = useAction(async (webhook) => {
    const { delivered, error, status } = await post(`user/webhooks/${webhook.id}/test`);
    const text = delivered ? `delivered, with the response ${status}` : `not delivered: ${error ?? `response ${status}`}`;
    setOutcome({ isGood: delivered, text: `The test to ${webhook.url} was ${text}.` });
  });
  const finish = (message) => (made) => {
    say(message);
    ask(null);
    setOutcome(null);
    if (made?.secret) reveal(made);
    list.reload();
  };
  const add = html`<${Button} kind="small" icon="plus" onClick=${() => ask({ what: "set" })}>Add a webhook<//>`;
  const given = { of: asked?.webhook, close: () => ask(null) };
  const actions = (webhook) => html`<div class="row-actions">
    <${Button} kind="small" busy=${test.busy} label="Send a test to ${webhook.url}"
      onClick=${() => test.act(webhook)}>Send a test<//>
    <${Button} kind="small" label="Change ${webhook.url}" onClick=${() => ask({ what: "set", webhook })}>Change<//>
    <${Button} kind="small" label="New secret for ${webhook.url}"
      onClick=${() => ask({ what: "rotate", webhook })}>New secret<//>
    <${Button} kind="small warn-text" label="Delete ${webhook.url}"
      onClick=${() => ask({ what: "delete", webhook })}>Delete<//></div>`;
  return html`<${Card} title="Further webhooks" actions=${add}>
    ${test.error && html`<${Note}>${test.error.message}<//>`}
    ${outcome && html`<${Note} tone=${outcome.isGood ? "good" : "warn"}>${outcome.text}<//>`}
    <${Loaded} of=${list}>${({ webhooks }) => {
      const rows = webhooks.filter(isFurther);
      return rows.length ? html`<${Table} label="Further webhooks" rows=${rows} columns=${[
        { head: "Address", kind: "main", cell: (one) => html`<strong>${one.url}</strong>
          <span class="sub">${one.events.map(eventName).join(", ")}</span>` },
        { head: "Old secret ends", cell: (one) => html`<${Time} at=${one.old_secret_until} exact />` },
        { head: "Added", cell: (one) => html`<${Time} at=${one.created_at} />` },
        { head: "What to do", kind: "act", cell: actions },
      ]} />` : html`<${Empty} icon="webhook" title="No further webhooks">Add one for each receiver that
        wants other events or a secret of its own.<//>`;
    }}<//>
    ${asked?.what === "set" && html`<${WebhookDialog} ...${given}
      done=${finish(asked.webhook ? "The webhook is changed" : "The webhook is added")} />`}
    ${asked?.what === "rotate" && html`<${RotateDialog} ...${given} done=${finish("The webhook has a new secret")} />`}
    ${asked?.what === "delete" && html`<${Confirm} title="Delete this webhook?" word="Delete" close=${given.close}
      run=${() => remove(`user/webhooks/${asked.webhook.id}`)} done=${finish("The webhook is deleted")}>
      <p>Nothing is posted to <strong>${asked.webhook.url}</strong> any more, and its secret is forgotten.</p><//>`}
    ${fresh && html`<${Reveal} title="The secret of the webhook" secret=${fresh.secret} close=${() => reveal(null)}
      name="secret" warning="Copy it now into your receiver. It is not shown again.">
      <p class="hint">Receivers check the headers of Standard Webhooks with it.</p><//>`}
  <//>`;
}

function WebhookDialog({ of, close, done }) {
  const [url, setUrl] = useState(of?.url ?? "");
  const [events, setEvents] = useState(of?.events ?? ["meeting.status_change"]);
  const toggle = (event, isOn) => {
    const others = events.filter((one) => one !== event);
    setEvents(isOn ? [...others, event] : others);
  };
  const save = () => {
    const body = { url: url.trim(), events };
    return of ? patch(`user/webhooks/${of.id}`, body) : post("user/webhooks", body);
  };
  return html`<${FormDialog} title=${of ? "Change the webhook" : "Add a webhook"} close=${close} save=${save}
    done=${done} word=${of ? "Save" : "Add"} canSave=${events.length > 0}>
    ${(faults) => html`
      <${Field} label="Address" type="url" placeholder="https://example.com/hook" value=${url} set=${setUrl}
        error=${faults.url} autocomplete="off" />
      <fieldset><legend>Events</legend>
        ${Object.entries(EVENTS).map(([event, [name, hint]]) => html`<${Check} key=${event} label=${name}
          hint=${hint} checked=${events.includes(event)} set=${(isOn) => toggle(event, isOn)} />`)}
      </fieldset>`}
  <//>`;
}

function RotateDialog({ of, close, done }) {
  const [grace, setGrace] = useState(String(DAY));
  const save = () => post(`user/webhooks/${of.id}/rotate`, { grace_seconds: Number(grace) });
  return html`<${FormDialog} title="New secret" close=${close} save=${save} done=${done} word="Make a new secret">
    ${(faults) => html`<p>Events to <strong>${of.url}</strong> are signed with a new secret. Until the old one
        ends, they carry both signatures.</p>
      <${Choice} label="The old secret ends" value=${grace} set=${setGrace} options=${GRACES}
        error=${faults.grace_seconds} />`}
  <//>`;
}
