// What was said: segments by time, together where one speaker goes on, in the speaker's colour.

import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { clock, position, reasonWithheld } from "./format.js";
import { Badge, Button } from "./parts.js";

const COLOURS = 8;
/// Whoever is at most so many pixels above the end is taken along when more is said.
const NEAR_END = 80;

/// Segments with `more` in them: withdrawn ones out first, then each in the place of its id.
export function merged(old, more, removed) {
  const byId = new Map(old.map((segment) => [segment.segment_id, segment]));
  for (const id of removed) byId.delete(id);
  for (const segment of more) byId.set(segment.segment_id, segment);
  return [...byId.values()].sort(inOrder);
}

function inOrder(one, other) {
  if (one.absolute_start_time !== other.absolute_start_time) {
    return one.absolute_start_time < other.absolute_start_time ? -1 : 1;
  }
  return one.segment_id < other.segment_id ? -1 : 1;
}

/// Segments with those that are withheld in their places.
export function withWithheld(segments, withheld) {
  const more = withheld.map((one, index) => {
    const end = new Date(new Date(one.absolute_start_time).getTime() + (one.end - one.start) * 1000);
    return { ...one, segment_id: `withheld-${index}`, completed: true, absolute_end_time: end.toISOString() };
  });
  return [...segments, ...more].sort(inOrder);
}

/// How often a text is found.
export function count(segments, wanted) {
  return segments.reduce((sum, segment) => sum + pieces(segment.text, wanted).filter((piece) => piece.isFound).length, 0);
}

/// A text in pieces: those that are what is looked for, and those between.
function pieces(text, wanted) {
  if (!wanted) return [{ text, isFound: false }];
  const escaped = wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const parts = text.split(new RegExp(`(${escaped})`, "gi"));
  return parts.map((part, index) => ({ text: part, isFound: index % 2 === 1 })).filter((piece) => piece.text);
}

/// Runs of segments of one speaker; what is withheld stands alone.
function runs(segments) {
  const found = [];
  for (const segment of segments) {
    const last = found.at(-1);
    const isWithheld = Boolean(segment.reason);
    if (last?.speaker === segment.speaker && last.isWithheld === isWithheld) last.segments.push(segment);
    else found.push({ speaker: segment.speaker, isWithheld, segments: [segment] });
  }
  return found;
}

/// How far a list must be scrolled so that a line is in the middle; 0 where it is in sight.
function below(list, line) {
  const [box, place] = [list.getBoundingClientRect(), line.getBoundingClientRect()];
  if (place.bottom > box.top && place.top < box.bottom) return 0;
  return place.top - box.top - box.height / 2;
}

/// With `correct` and `rename`, lines and names are buttons that call them. With a `player`, each line
/// has its time in the sound, which is a button, and the one that is spoken is marked.
export function Spoken({ segments, wanted, isLive, correct, rename, player }) {
  const list = useRef(null);
  const [isBehind, behind] = useState(false);
  const speakers = [...new Set(segments.map((segment) => segment.speaker))];
  const first = player ? player.sounds[0].started_at : segments[0].absolute_start_time;
  const given = { wanted, correct };
  const toEnd = () => {
    list.current.scrollTop = list.current.scrollHeight;
    behind(false);
  };
  const isNear = useRef(true);
  const scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = list.current;
    isNear.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (isNear.current) behind(false);
  };
  useEffect(() => {
    if (!isLive) return;
    if (isNear.current) toEnd();
    else behind(true);
  }, [segments.length, isLive]);
  // The line that is spoken stays in sight, unless somebody has scrolled away from the one before.
  const marked = useRef(null);
  useEffect(() => {
    const line = list.current.querySelector("[aria-current]");
    if (!line) return;
    const isFollowed = !marked.current?.isConnected || below(list.current, marked.current) === 0;
    if (isFollowed) list.current.scrollTop += below(list.current, line);
    marked.current = line;
  }, [player?.now]);
  return html`<div class="spoken-box">
    <div class="spoken" ref=${list} role="log" aria-label="Transcript" tabindex="0" onScroll=${scrolled}>
      ${runs(segments).map((run) => html`<article key=${run.segments[0].segment_id}
        class="run s${speakers.indexOf(run.speaker) % COLOURS} ${run.isWithheld ? "is-withheld" : ""}">
        <header><strong>${run.speaker ?? "Somebody"}</strong>
          ${run.isWithheld && html`<${Badge} tone="wait">Withheld<//>`}
          ${rename && !run.isWithheld && html`<${Button} kind="small" label=${`Name ${run.speaker ?? "somebody"}`}
            onClick=${() => rename({ speaker: run.speaker })}>Name<//>`}
          ${!player && html`<time datetime=${run.segments[0].absolute_start_time}
            title=${clock(run.segments[0].absolute_start_time)}>${placeOf(run.segments[0], first)}</time>`}</header>
        ${player ? run.segments.map((segment) => html`<${Line} key=${segment.segment_id} of=${segment} ...${given}
            at=${placeOf(segment, first)} isNow=${segment.segment_id === player.now}
            play=${player.canPlay(segment) && player.play} />`)
          : html`<p>${run.segments.map((segment) => html`<${Segment} key=${segment.segment_id} of=${segment}
            ...${given} />`)}</p>`}
      </article>`)}
    </div>
    ${isBehind && html`<${Button} kind="primary newest" onClick=${toEnd}>To the newest words<//>`}
  </div>`;
}

/// A line of a meeting whose sound is kept.
const Line = ({ at, isNow, play, ...rest }) => html`<p class="timed" aria-current=${isNow ? "true" : null}>
  ${play ? html`<button type="button" class="at" aria-label=${`Play from ${at}`}
    onClick=${() => play(rest.of)}>${at}</button>` : html`<span class="at">${at}</span>`}
  <span><${Segment} ...${rest} /></span></p>`;

/// One segment: made anew only when it changes, however many there are.
const Segment = ({ of, wanted, correct }) => useMemo(() => {
  const text = pieces(of.text, wanted).map((piece) => (piece.isFound
    ? html`<mark>${piece.text}</mark>` : piece.text));
  if (of.reason) return html`${text} <span class="why">(${reasonWithheld(of.reason)})</span> `;
  if (correct && of.completed) {
    return html`<button type="button" class="line" aria-label=${`Correct: ${of.text}`}
      onClick=${() => correct(of)}>${text}</button> `;
  }
  const about = of.corrected ? `Corrected; it was heard as: ${of.original_text}` : null;
  return html`<span class=${of.completed ? "" : "draft"} title=${about}>${text} </span>`;
}, [of, wanted, Boolean(correct)]);

/// Where a segment begins, from the first word or the first second of the sound on: a segment of the
/// live feed and one of the transcript count alike.
const placeOf = (segment, first) =>
  position((new Date(segment.absolute_start_time) - new Date(first)) / 1000);

export { runs };
