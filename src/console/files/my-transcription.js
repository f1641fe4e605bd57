// Words of one's own sound: names and terms that engines are told, and an engine of one's own.

import { html, useState } from "./preact.js";
import { get, put, useLoad } from "./api.js";
import { Confirm, FormDialog } from "./dialog.js";
import { Button, Card, Check, Empty, Facts, Field, Head, Loaded, Note, say, useAction } from "./parts.js";
import { session } from "./session.js";

const PATH = "user/transcription";

export default function MyTranscription() {
  const settings = useLoad((signal) => get(PATH, {}, signal), []);
  return html`
    <${Head} title="Transcription" lead="What engines are told of your meetings, and which engine hears them." />
    <${Card} title="Names and terms"><${Loaded} of=${settings} lines=${8}>${(data) => html`<${Vocabulary}
      of=${data.vocabulary} changed=${settings.reload} />`}<//><//>
    <${Loaded} of=${settings} lines=${6}>${(data) => html`<${Engine} of=${data.engine}
      changed=${settings.reload} />`}<//>`;
}

function Vocabulary({ of, changed }) {
  const [typed, type] = useState(of.join("\n"));
  const { busy, error, act } = useAction(async () => {
    const kept = await put(PATH, { vocabulary: typed.split("\n") });
    // Without empty lines, and each term once.
    type(kept.vocabulary.join("\n"));
    say("The names and terms are kept");
    changed();
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy) act();
  };
  return html`<form class="card-form" onSubmit=${submit} novalidate>
    <${Field} as="textarea" rows="6" label="One on each line" value=${typed} set=${type} error=${error?.message}
      spellcheck="false" hint="At most 200, each of 64 characters. Engines write them as they are written here." />
    ${!session()?.isReader && html`<div class="actions"><${Button} type="submit" kind="primary"
      busy=${busy}>Save<//></div>`}
  </form>`;
}

function Engine({ of: engine, changed }) {
  const [asked, ask] = useState(null);
  const done = (message) => () => {
    say(message);
    ask(null);
    changed();
  };
  const mayWrite = !session()?.isReader;
  const set = mayWrite && html`<${Button} kind=${engine ? "small" : ""} icon="edit"
    onClick=${() => ask("set")}>${engine ? "Change" : "Set an engine"}<//>`;
  return html`<${Card} title="Your own engine" actions=${engine && html`${set}${mayWrite && html`<${Button}
    kind="small warn-text" icon="trash" onClick=${() => ask("remove")}>Remove<//>`}`}>
    ${engine ? html`<${Facts} rows=${[
        ["Address", html`<code>${engine.url}</code>`],
        ["Model", engine.model],
        ["Key", engine.has_key ? "Asked with your key" : "Asked without a key"],
      ]} />`
      : html`<${Empty} icon="sound" title="The engines of this server hear your meetings" action=${set}>Where the
        administrator allows it, a server of yours with the API of OpenAI hears them instead.<//>`}
    ${asked === "set" && html`<${SetEngine} of=${engine} close=${() => ask(null)}
      done=${done("Your engine is set")} />`}
    ${asked === "remove" && html`<${Confirm} title="Remove your engine?" word="Remove" close=${() => ask(null)}
      run=${() => put(PATH, { engine: null })} done=${done("Your engine is removed")}>
      <p>The engines of this server hear your meetings again, and the key is forgotten.</p><//>`}
  <//>`;
}

function SetEngine({ of: engine, close, done }) {
  const [url, setUrl] = useState(engine?.url ?? "");
  const [model, setModel] = useState(engine?.model ?? "");
  const [key, setKey] = useState("");
  const [isAsked, askWith] = useState(engine?.has_key ?? true);
  const save = () => {
    const wanted = { url: url.trim(), model: model.trim() };
    if (isAsked && key) wanted.key = key;
    else if (!isAsked) wanted.key = null;
    return put(PATH, { engine: wanted });
  };
  return html`<${FormDialog} title="Your engine" close=${close} save=${save} done=${done} word="Save">
    ${(faults) => html`
      <${Note} tone="warn">Your sound goes to this address. While it does not answer, the engines of this server
        are asked.<//>
      <${Field} label="Address" type="url" placeholder="https://example.com/v1" value=${url} set=${setUrl}
        error=${faults.url} autocomplete="off" />
      <${Field} label="Model" value=${model} set=${setModel} error=${faults.model} autocomplete="off" />
      <${Check} label="Ask with a key" checked=${isAsked} set=${askWith} />
      ${isAsked && html`<${Field} label="Key" type="password" value=${key} set=${setKey} error=${faults.key}
        hint=${engine?.has_key ? "Empty keeps the present one, while the address stays." : "It is not shown again."}
        autocomplete="new-password" />`}`}
  <//>`;
}
