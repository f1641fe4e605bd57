// What was said: segments by time, together where one speaker goes on, in the speaker's colour.

import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { clock, position } from "./format.js";
import { Button } from "./parts.js";

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

/// Runs of segments of one speaker.
function runs(segments) {
  const found = [];
  for (const segment of segments) {
    const last = found.at(-1);
    if (last && last.speaker === segment.speaker) last.segments.push(segment);
    else found.push({ speaker: segment.speaker, segments: [segment] });
  }
  return found;
}

export function Spoken({ segments, wanted, isLive }) {
  const list = useRef(null);
  const [isBehind, behind] = useState(false);
  const speakers = [...new Set(segments.map((segment) => segment.speaker))];
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
  return html`<div class="spoken-box">
    <div class="spoken" ref=${list} role="log" aria-label="Transcript" tabindex="0" onScroll=${scrolled}>
      ${runs(segments).map((run) => html`<article key=${run.segments[0].segment_id}
        class="run s${speakers.indexOf(run.speaker) % COLOURS}">
        <header><strong>${run.speaker ?? "Somebody"}</strong>
          <time datetime=${run.segments[0].absolute_start_time}
            title=${clock(run.segments[0].absolute_start_time)}>${startOf(run, segments)}</time></header>
        <p>${run.segments.map((segment) => html`<${Segment} key=${segment.segment_id} of=${segment}
          wanted=${wanted} />`)}</p>
      </article>`)}
    </div>
    ${isBehind && html`<${Button} kind="primary newest" onClick=${toEnd}>To the newest words<//>`}
  </div>`;
}

/// One segment: made anew only when it changes, however many there are.
const Segment = ({ of, wanted }) => useMemo(() => html`<span class=${of.completed ? "" : "draft"}>${
  pieces(of.text, wanted).map((piece) => (piece.isFound
    ? html`<mark>${piece.text}</mark>` : piece.text))} </span>`, [of, wanted]);

/// Seconds from the first word: a segment of the live feed and one of the transcript count alike.
const startOf = (run, segments) =>
  position((new Date(run.segments[0].absolute_start_time) - new Date(segments[0].absolute_start_time)) / 1000);

export { runs };
