// Tabs: arrow keys go from one to the next, Tab goes into what is shown.

import { html, useEffect, useRef } from "./preact.js";

export function Tabs({ label, tabs, chosen, choose, children }) {
  const list = useRef(null);
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex(([key]) => key === chosen);
    const next = (at + step + tabs.length) % tabs.length;
    choose(tabs[next][0]);
    list.current.children[next].focus();
  };
  // On a phone not all of them are in sight.
  useEffect(() => {
    list.current.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [chosen]);
  const name = (key) => `tab-${key || "first"}`;
  return html`
    <div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
      ${tabs.map(([key, title]) => html`<button type="button" role="tab" id=${name(key)}
        aria-selected=${key === chosen}
        aria-controls="tab-panel" tabindex=${key === chosen ? 0 : -1} onClick=${() => choose(key)}>${title}</button>`)}
    </div>
    <div id="tab-panel" role="tabpanel" aria-labelledby=${name(chosen)}>${children}</div>`;
}
