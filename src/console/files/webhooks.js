// One's own webhook: where events go, a test, and what was posted.

import { html, useState } from "./preact.js";
import { get, post, put, useLoad } from "./api.js";
import { Deliveries } from "./deliveries.js";
import { Confirm, FormDialog } from "./dialog.js";
import { MoreWebhooks } from "./more-webhooks.js";
import { Button, Card, Check, Empty, Facts, Field, Head, Loaded, Note, say, useAction } from "./parts.js";

export default function Webhooks() {
  const webhook = useLoad((signal) => get("user/webhook", {}, signal), []);
  const [asked, ask] = useState(null);
  const test = useAction(() => post("user/webhook/test"));
  const [outcome, setOutcome] = useState(null);
  const tried = async () => setOutcome((await test.act()) ?? null);
  const done = (message) => () => {
    say(message);
    ask(null);
    setOutcome(null);
    webhook.reload();
  };
  const title = "Webhooks";
  const lead = "Each time the status of one of your meetings changes, an event is posted to your address.";
  if (!webhook.data) {
    return html`<${Head} title=${title} lead=${lead} /><${Loaded} of=${webhook} lines=${6} />`;
  }
  const isSet = webhook.data.webhook_url;
  const set = html`<${Button} kind=${isSet ? "" : "primary"} icon="edit" onClick=${() => ask("set")}>${isSet
    ? "Change" : "Set a webhook"}<//>`;
  return html`
    <${Head} title=${title} lead=${lead}>
      ${isSet && html`<${Button} busy=${test.busy} onClick=${tried}>Send a test<//>`}
      ${isSet && set}
      ${isSet && html`<${Button} kind="warn-text" icon="trash" onClick=${() => ask("delete")}>Delete<//>`}
    <//>
    ${test.error && html`<${Note}>${test.error.message}<//>`}
    ${outcome && html`<${Outcome} of=${outcome} />`}
    <${Card} title="Where events go">
      ${isSet
        ? html`<${Facts} rows=${[
            ["Address", html`<code>${webhook.data.webhook_url}</code>`],
            ["Signature", webhook.data.has_secret ? "Signed with your secret"
              : "Not signed: set a secret, so that your receiver knows who posts"],
          ]} />`
        : html`<${Empty} icon="webhook" title="No webhook yet" action=${set}>Give an address of yours; it hears of
          each meeting that begins, ends or fails.<//>`}
    <//>
    <${MoreWebhooks} />
    <${Card} title="Deliveries"><${Deliveries} path="user/webhook/deliveries"
      resendPath=${(one) => `user/webhook/deliveries/${one.id}/resend`} /><//>
    ${asked === "set" && html`<${SetWebhook} of=${webhook.data} close=${() => ask(null)}
      done=${done("The webhook is set")} />`}
    ${asked === "delete" && html`<${Confirm} title="Delete the webhook?" word="Delete" close=${() => ask(null)}
      run=${() => put("user/webhook", { webhook_url: null, webhook_secret: null })} done=${done("The webhook is deleted")}>
      <p>Nothing is posted any more, and the secret is forgotten.</p><//>`}`;
}

const Outcome = ({ of: { delivered, error, status, milliseconds } }) => html`
  <${Note} tone=${delivered ? "good" : "warn"}>${delivered
    ? `The test was delivered in ${milliseconds} ms, with the response ${status}.`
    : `The test was not delivered: ${error ?? `response ${status}`}.`}<//>`;

function SetWebhook({ of, close, done }) {
  const [url, setUrl] = useState(of.webhook_url ?? "");
  const [secret, setSecret] = useState("");
  const [isSigned, sign] = useState(of.has_secret || !of.webhook_url);
  const save = () => {
    const body = { webhook_url: url.trim() };
    if (secret) body.webhook_secret = secret;
    else if (!isSigned) body.webhook_secret = null;
    return put("user/webhook", body);
  };
  return html`<${FormDialog} title="Webhook" close=${close} save=${save} done=${done} word="Save">
    ${(faults) => html`
      <${Field} label="Address" type="url" placeholder="https://example.com/hook" value=${url} set=${setUrl}
        error=${faults.webhook_url} autocomplete="off" />
      <${Check} label="Sign events" checked=${isSigned} set=${sign}
        hint="Your receiver checks the signature by the same secret." />
      ${isSigned && html`<${Field} label="Secret" type="password" value=${secret} set=${setSecret}
        error=${faults.webhook_secret}
        hint=${of.has_secret ? "Empty keeps the present one."
          : "16 to 256 printable characters. It is not shown again."} autocomplete="new-password" />`}`}
  <//>`;
}
