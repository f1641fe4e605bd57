// All users: find one, see who is busy, add another.

import { html, useState } from "./preact.js";
import { useFilter } from "./address.js";
import { answer, get, typedNumber, usePages } from "./api.js";
import { FormDialog } from "./dialog.js";
import { number } from "./format.js";
import { Badge, Button, Empty, Field, Head, Meter, SearchField, Select, Time, say } from "./parts.js";
import { PagedTable } from "./table.js";

const STATES = [["", "All users"], ["active", "Enabled"], ["disabled", "Disabled"]];

export default function Users() {
  const [q, search] = useFilter("q");
  const [state, setState] = useFilter("state");
  const [isAdding, add] = useState(false);
  const users = usePages(async (after) => {
    const page = await get("admin/users/search", { q, state, after, limit: 50 });
    return { rows: page.users, next: page.next };
  }, [q, state]);
  const added = ({ status, data: user }) => {
    say(status === 201 ? `${user.email} is a user` : `${user.email} is a user already; nothing was changed`);
    location.hash = `#/users/${user.id}`;
  };
  const isFiltered = q || state;
  const button = html`<${Button} kind="primary" icon="plus" onClick=${() => add(true)}>Add a user<//>`;
  const empty = isFiltered
    ? html`<${Empty} icon="search" title="No user is like that">Search for another part of the e-mail address or
      name.<//>`
    : html`<${Empty} icon="users" title="No users yet" action=${button}>
        A user has tokens, sends bots and sees their own meetings. Add the first one, then give them a token.<//>`;
  return html`
    <${Head} title="Users" lead="Everybody who may use this server.">${(isFiltered || users.rows?.length > 0) && button}<//>
    <div class="toolbar">
      <${SearchField} label="Search users" placeholder="Search e-mail or name" value=${q} set=${search} />
      <${Select} label="State" value=${state} set=${setState} options=${STATES} />
    </div>
    <${PagedTable} of=${users} label="Users" empty=${empty} dim=${(user) => user.disabled_at} columns=${[
      { head: "User", kind: "main", cell: (user) => html`<a class="row-link"
        href="#/users/${user.id}">${user.name ?? user.email}</a>
        <span class="sub">${user.name ? user.email : `User ${user.id}`}</span>` },
      { head: "State", cell: (user) => (user.disabled_at ? html`<${Badge} tone="bad">Disabled<//>` : html`<${Badge}
        tone="live">Enabled<//>`) },
      { head: "Bots", cell: (user) => html`<${Seats} used=${user.seats_in_use} of=${user.max_concurrent_bots} />` },
      { head: "Tokens", kind: "num", cell: (user) => number(user.tokens) },
      { head: "Last used", cell: (user) => html`<${Time} at=${user.last_used_at} none="Never" />` },
    ]} />
    ${isAdding && html`<${AddUser} close=${() => add(false)} done=${added} />`}`;
}

export function Seats({ used, of, unit = "" }) {
  if (!of && !used) return html`<span class="faint">No bots</span>`;
  return html`<span class="seats"><${Meter} value=${used} max=${Math.max(of, used)}
    label="${used} of ${of} bots are in meetings" /><span>${used} of ${of}${unit}</span></span>`;
}

function AddUser({ close, done }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [bots, setBots] = useState("1");
  const save = () => {
    const limit = typedNumber(bots, "max_concurrent_bots");
    return answer("POST", "admin/users", { body: { email, name: name || null, max_concurrent_bots: limit } });
  };
  return html`<${FormDialog} title="Add a user" close=${close} save=${save} done=${done} word="Add">
    ${(faults) => html`
      <${Field} label="E-mail address" type="email" value=${email} set=${setEmail} error=${faults.email}
        required autocomplete="off" hint="It names the user and cannot be changed." />
      <${Field} label="Name" value=${name} set=${setName} error=${faults.name} autocomplete="off" />
      <${Field} label="Bots at once" type="number" min="0" value=${bots} set=${setBots}
        error=${faults.max_concurrent_bots}
        hint="How many of their bots may be in meetings at the same time; 0 is none." />`}
  <//>`;
}
