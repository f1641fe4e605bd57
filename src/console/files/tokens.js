// Tokens, as administrators and their holders look after them: the table and its dialogs.

import { html, useState } from "./preact.js";
import { answer, patch, post } from "./api.js";
import { Confirm, FormDialog, Reveal } from "./dialog.js";
import { PLATFORMS, number, platform, scope } from "./format.js";
import { Badge, Button, Check, Field, Time, say } from "./parts.js";

const DAY = 86_400;
const ENDS = [
  ["", "Never"], [DAY, "In a day"], [7 * DAY, "In a week"], [30 * DAY, "In 30 days"],
  [90 * DAY, "In 90 days"], [365 * DAY, "In a year"],
];
const DISUSE = [
  ["", "Never"], [7 * DAY, "After a week unused"], [30 * DAY, "After 30 days unused"],
  [90 * DAY, "After 90 days unused"],
];
const GRACES = [
  [0, "At once"], [600, "In 10 minutes"], [3600, "In an hour"], [DAY, "In a day"], [7 * DAY, "In a week"],
];
const seconds = (value) => (value === "" ? null : Number(value));

/// Where the rows of administrators and of holders differ.
export const ofUser = (userId) => ({
  create: (body) => post(`admin/users/${userId}/tokens`, body),
  update: (token, body) => patch(`admin/tokens/${token.id}`, body),
  rotate: (token, body) => post(`admin/tokens/${token.id}/rotate`, body),
  revoke: (token) => answer("DELETE", `admin/tokens/${token.id}`),
});

export function TokenState({ token }) {
  const now = Date.now();
  const end = token.ends_at ?? token.expires_at;
  const left = end ? new Date(end) - now : Infinity;
  if (token.replaced_by && left <= 0) return html`<${Badge} tone="done">Rotated<//>`;
  if (left <= 0) return html`<${Badge} tone="bad">Expired<//>`;
  if (token.disabled_at) return html`<${Badge} tone="bad">Disabled<//>`;
  if (token.replaced_by) return html`<${Badge} tone="wait">Rotated, still accepted<//>`;
  if (left < 7 * DAY * 1000) return html`<${Badge} tone="wait">Ends soon<//>`;
  return html`<${Badge} tone="live">Accepted<//>`;
}

/// The columns of a table of tokens; `act(what, token)` opens a dialog.
export function tokenColumns({ owner, act, can = ["narrow", "rotate", "revoke"] }) {
  const names = { narrow: "Narrow", rotate: "Rotate", revoke: "Revoke" };
  return [
    { head: "Token", kind: "main", cell: (token) => html`<strong>${token.name ?? "Without a name"}</strong>
      <span class="sub"><code>${token.hint}…</code> · ${scope(token.scope)}</span>` },
    owner && { head: "User", cell: (token) => html`<a href="#/users/${token.user_id}">${token.email}</a>` },
    { head: "State", cell: (token) => html`<${TokenState} token=${token} />` },
    { head: "Last used", cell: (token) => html`<${Time} at=${token.last_used_at} none="Never" />
      ${token.last_address && html`<span class="sub">from ${token.last_address}</span>`}` },
    { head: "Ends", cell: (token) => html`<${Time} at=${token.ends_at ?? token.expires_at} none="Never" />` },
    act && { head: "What to do", kind: "act", cell: (token) => html`<div
      class="row-actions">${can.map((what) => html`
      <${Button} kind="small ${what === "revoke" ? "warn-text" : ""}" onClick=${() => act(what, token)}
        label="${names[what]} ${token.name ?? token.hint}">${names[what]}<//>`)}</div>` },
  ].filter(Boolean);
}

/// The dialog that is open: `open` is null or {what, token}.
export function TokenDialog({ open, close, api, changed, graces = GRACES, ends = ENDS }) {
  const [fresh, reveal] = useState(null);
  const finish = (message) => {
    say(message);
    close();
    changed();
  };
  const show = (made) => {
    close();
    reveal(made);
    changed();
  };
  if (fresh) {
    return html`<${Reveal} title=${fresh.replaces ? "The token was rotated" : "The token was created"}
      secret=${fresh.token} close=${() => reveal(null)}>
      ${fresh.replaces && html`<p class="hint">The old one ends <${Time} at=${fresh.replaces.expires_at}
        none="at once" exact />.</p>`}
    <//>`;
  }
  if (!open) return null;
  const given = { close, api, token: open.token, finish, show, graces, ends };
  if (open.what === "create") return html`<${CreateToken} ...${given} />`;
  if (open.what === "narrow") return html`<${NarrowToken} ...${given} />`;
  if (open.what === "rotate") return html`<${RotateToken} ...${given} />`;
  return html`<${Confirm} title="Revoke this token?" word="Revoke" close=${close}
    run=${() => api.revoke(open.token)} done=${({ tokens }) => finish(tokens > 1
      ? `${number(tokens)} tokens are revoked` : "The token is revoked")}>
    <p><strong>${open.token.name ?? open.token.hint}</strong> is refused from the next request on, and so are the
      tokens that its holder rotated it to or made with it. This cannot be undone.</p>
  <//>`;
}

/// What a token is limited to, as it is chosen; `from` is what it is limited to now.
function ScopeFields({ chosen, set, faults, from = NO_SCOPE }) {
  const offered = from.platforms.length ? from.platforms : Object.keys(PLATFORMS);
  const toggle = (platform, isOn) => {
    const others = chosen.platforms.filter((one) => one !== platform);
    set({ ...chosen, platforms: isOn ? [...others, platform] : others });
  };
  return html`
    <${Check} label="Read only" hint="It may read and change nothing." checked=${chosen.read_only}
      disabled=${from.read_only}
      set=${(isOn) => set({ ...chosen, read_only: isOn })} />
    <${Choice} label="Sound" value=${chosen.sound} set=${(sound) => set({ ...chosen, sound })}
      options=${SOUND.filter(([key]) => key !== "yes" || mayTranscribe(from))}
      hint="Whether it may have sound transcribed." error=${faults.transcribe ?? faults.transcribe_only} />
    <fieldset><legend>Only meetings on these platforms</legend>
      <div class="checks">${offered.map((key) => html`
        <${Check} key=${key} label=${platform(key)} checked=${chosen.platforms.includes(key)}
          set=${(isOn) => toggle(key, isOn)} />`)}</div>
      <p class="hint">${from.platforms.length ? "None chosen is those that it has."
        : "None chosen is all of them."}</p>
    </fieldset>
    ${from.meeting
      ? html`<p class="hint">It sees the meeting ${from.meeting.native_meeting_id} alone.</p>`
      : html`<${Field} label="Only this meeting" placeholder="google_meet/abc-defg-hij" value=${chosen.meeting}
          set=${(meeting) => set({ ...chosen, meeting })} hint="Platform and id of one meeting; empty is all."
          error=${faults.meeting ?? faults.native_meeting_id ?? faults.platform} />`}`;
}

/// What may be said of sound.
const SOUND = [
  ["", "As its other limits say"],
  ["yes", "May be transcribed"],
  ["no", "May not be transcribed"],
  ["only", "May be transcribed, and nothing else"],
];

/// Whether a token of this scope may have sound transcribed.
const mayTranscribe = (scope) => scope.transcribe
  ?? (scope.transcribe_only || !(scope.read_only || scope.platforms.length || scope.meeting));

const NO_SCOPE = { read_only: false, platforms: [], meeting: null };

/// The fields of a request in which `chosen` is narrower than `from`.
function narrower({ read_only: isReadOnly, platforms, meeting, sound }, from = NO_SCOPE) {
  const body = {};
  if (isReadOnly && !from.read_only) body.read_only = true;
  if (platforms.length && platforms.length !== from.platforms.length) body.platforms = platforms;
  if (meeting && !from.meeting) {
    const [where, id = ""] = meeting.split("/").map((part) => part.trim());
    body.meeting = { platform: where, native_meeting_id: id };
  }
  if (sound === "yes" || sound === "no") body.transcribe = sound === "yes";
  if (sound === "only") body.transcribe_only = true;
  return body;
}

function CreateToken({ close, api, show, ends }) {
  const [name, setName] = useState("");
  const [end, setEnd] = useState(String(ends[0][0]));
  const [disuse, setDisuse] = useState("");
  const [chosen, choose] = useState({ ...NO_SCOPE, meeting: "", sound: "" });
  const save = () => {
    const body = { name: name || null, ...narrower(chosen) };
    if (end !== "same") body.expires_in = seconds(end);
    if (disuse) body.disuse_seconds = seconds(disuse);
    return api.create(body);
  };
  return html`<${FormDialog} title="Create a token" close=${close} save=${save} done=${show} word="Create">
    ${(faults) => html`
      <${Field} label="Name" hint="What it is for: it is shown in lists and in the usage." value=${name} set=${setName}
        error=${faults.name} maxlength="255" autocomplete="off" />
      <div class="two">
        <${Choice} label="Ends" value=${end} set=${setEnd} options=${ends} error=${faults.expires_in} />
        <${Choice} label="Ends by disuse" value=${disuse} set=${setDisuse} options=${DISUSE}
          error=${faults.disuse_seconds} />
      </div>
      <${ScopeFields} chosen=${chosen} set=${choose} faults=${faults} />`}
  <//>`;
}

function NarrowToken({ close, api, token, finish, ends }) {
  const { scope: from } = token;
  const [name, setName] = useState(token.name ?? "");
  const [end, setEnd] = useState("same");
  const [disuse, setDisuse] = useState("same");
  const [isDisabled, disable] = useState(Boolean(token.disabled_at));
  const [chosen, choose] = useState({
    read_only: from.read_only, platforms: from.platforms, meeting: "", sound: "",
  });
  const same = ["same", "As it is"];
  const save = () => {
    const body = { name: name || null, ...narrower(chosen, from) };
    if (end !== "same") body.expires_in = seconds(end);
    if (disuse !== "same") body.disuse_seconds = seconds(disuse);
    if (isDisabled !== Boolean(token.disabled_at)) body.disabled = isDisabled;
    return api.update(token, body);
  };
  return html`<${FormDialog} title="Narrow this token" close=${close} save=${save} word="Save"
    done=${() => finish("The token is changed")}>
    ${(faults) => html`
      <${Field} label="Name" value=${name} set=${setName} error=${faults.name} maxlength="255" autocomplete="off" />
      <div class="two">
        <${Choice} label="Ends" value=${end} set=${setEnd} options=${[same, ...ends]} error=${faults.expires_in} />
        <${Choice} label="Ends by disuse" value=${disuse} set=${setDisuse} options=${[same, ...DISUSE]}
          error=${faults.disuse_seconds} />
      </div>
      <${Check} label="Disabled" hint="It is refused until it is enabled again." checked=${isDisabled} set=${disable} />
      <${ScopeFields} chosen=${chosen} set=${choose} faults=${faults} from=${from} />
      <p class="hint">What it may do only ever becomes less. For more, create another token.</p>`}
  <//>`;
}

function RotateToken({ close, api, token, show, graces }) {
  const [grace, setGrace] = useState("600");
  return html`<${FormDialog} title="Rotate this token" close=${close} word="Rotate" done=${show}
    save=${() => api.rotate(token, { grace_seconds: Number(grace) })}>
    <p>A new token with the same limits takes the place of <strong>${token.name ?? token.hint}</strong>.</p>
    <${Choice} label="The old one ends" value=${grace} set=${setGrace} options=${graces}
      hint="For a planned change give some time, so that nothing is interrupted." />
  <//>`;
}

/// A labelled choice.
export const Choice = ({ options, ...rest }) => html`<${Field} as="select" ...${rest}>
  ${options.map(([key, name]) => html`<option value=${key}
    selected=${String(key) === String(rest.value)}>${name}</option>`)}
<//>`;

