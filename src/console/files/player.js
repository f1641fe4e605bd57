// The sound of a meeting, while it is kept: a player that is told from where to play, and says which
// line is spoken. A ticket stands in the address of the sound, never the key.

import { html, useEffect, useRef, useState } from "./preact.js";
import { BASE, post, remove } from "./api.js";
import { Confirm } from "./dialog.js";
import { clock, duration } from "./format.js";
import { Button, Note, Select } from "./parts.js";
import { session } from "./session.js";

/// A ticket ends after ten minutes: a sound that fails is asked for by a new one, so often in a row.
const RENEWALS_MAX = 2;
/// How much of a sound may not be counted yet.
const SLACK_SECONDS = 10;
const LOST = "The sound cannot be played now. Try again, or save the transcript meanwhile.";

/// The player of a meeting's sounds. `now` is the id of the segment that is spoken, `play(segment)`
/// plays from there, where `canPlay(segment)`. `lost()` is called where a sound cannot be played any
/// more.
export function usePlayer({ id, sounds, segments, lost }) {
  const audio = useRef(null);
  const [chosen, choose] = useState(null);
  const [now, setNow] = useState(null);
  const [error, setError] = useState("");
  const sound = sounds.find((one) => one.id === chosen) ?? sounds[0] ?? null;
  // What is done once a sound can be played, and of which that is meant; which one the element has,
  // or gets; how often it has failed in a row.
  const wish = useRef(null);
  const held = useRef(null);
  const renewals = useRef(0);
  const wanted = useRef(null);
  wanted.current = sound?.id;

  const load = async () => {
    held.current = sound.id;
    try {
      const { ticket } = await post("tickets", { path: `/meetings/${id}/audio` });
      if (wanted.current !== sound.id || !audio.current) return;
      const url = new URL(`meetings/${id}/audio`, BASE);
      url.searchParams.set("sound", sound.id);
      url.searchParams.set("ticket", ticket);
      audio.current.src = url.href;
    } catch (refused) {
      held.current = null;
      setError(refused.message);
    }
  };
  useEffect(() => {
    if (!sound) return;
    renewals.current = 0;
    setError("");
    // What another sound still says is of no interest.
    audio.current?.removeAttribute("src");
    load();
  }, [sound?.id]);

  /// Plays or shows a sound from so many seconds on.
  const turnTo = (other, seconds, plays) => {
    wish.current = { of: other.id, seconds: Math.max(0, seconds), plays };
    if (other.id !== sound.id) choose(other.id);
    else if (audio.current.error || held.current !== sound.id) again();
    else if (isReady()) begin();
  };
  const again = () => {
    renewals.current = 0;
    setError("");
    load();
  };
  // Events of an element that is gone, or has another sound already, come late.
  const isReady = () => Boolean(audio.current?.getAttribute("src")) && audio.current.readyState > 0;
  const begin = () => {
    if (!isReady() || held.current !== wanted.current) return;
    setError("");
    if (wish.current?.of !== wanted.current) return;
    const { seconds, plays } = wish.current;
    wish.current = null;
    if (seconds !== audio.current.currentTime) audio.current.currentTime = seconds;
    // A browser that does not play by itself shows its button.
    if (plays) audio.current.play().catch(() => {});
  };
  const moved = () => {
    // One whose address was just changed is at no place.
    if (!isReady() || audio.current.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    renewals.current = 0;
    setNow(audio.current.ended ? null : spokenAt(segments, sound, audio.current.currentTime));
  };
  const failed = () => {
    if (!audio.current?.getAttribute("src")) return;
    const { currentTime, paused } = audio.current;
    const { seconds = 0, plays = false } = wish.current ?? {};
    wish.current = { of: sound.id, seconds: currentTime || seconds, plays: plays || !paused };
    renewals.current += 1;
    if (renewals.current <= RENEWALS_MAX) {
      load();
    } else {
      setError(LOST);
      lost();
    }
  };
  return {
    audio, sound, sounds, now, error, again,
    on: { onLoadedMetadata: begin, onTimeUpdate: moved, onSeeked: moved, onEnded: moved, onError: failed },
    choose: (key) => {
      const other = sounds.find((one) => String(one.id) === key);
      // Where it is, or is about to be.
      const { seconds: at, plays } = wish.current
        ?? { seconds: audio.current.currentTime, plays: !audio.current.paused };
      const seconds = at + (time(sound.started_at) - time(other.started_at)) / 1000;
      turnTo(other, seconds < other.seconds ? seconds : 0, plays);
    },
    canPlay: (segment) => Boolean(soundOf(segment, sound, sounds)),
    play: (segment) => {
      const other = soundOf(segment, sound, sounds);
      turnTo(other, (time(segment.absolute_start_time) - time(other.started_at)) / 1000, true);
    },
  };
}

const time = (text) => new Date(text).getTime();

/// The sound in which a segment is heard: its speaker's own, else the one that is chosen, else any
/// that goes on at that time, else none.
function soundOf(segment, chosen, sounds) {
  const at = time(segment.absolute_start_time);
  const there = sounds.filter((one) => {
    const seconds = (at - time(one.started_at)) / 1000;
    return seconds >= -1 && seconds < one.seconds + SLACK_SECONDS;
  });
  const own = there.find((one) => one.speaker !== null && one.speaker === segment.speaker);
  return own ?? (there.includes(chosen) ? chosen : there[0]);
}

/// The id of the segment that is spoken so many seconds into a sound; null where nobody speaks.
function spokenAt(segments, sound, seconds) {
  const at = new Date(time(sound.started_at) + seconds * 1000).toISOString();
  const there = segments.filter((one) => one.absolute_start_time <= at && at < one.absolute_end_time);
  return (there.find((one) => one.speaker === sound.speaker) ?? there[0])?.segment_id ?? null;
}

const nameOf = (sound) =>
  `${sound.speaker ?? "Everybody"}, from ${clock(sound.started_at)}, ${duration(sound.seconds)}`;

/// `deleted()` is called once the sound is deleted.
export function Player({ of: player, id, deleted }) {
  const [isAsked, ask] = useState(false);
  const { audio, sound, sounds, error, on } = player;
  return html`<div class="player">
      <audio controls preload="metadata" aria-label="The sound of this meeting" ref=${audio} ...${on}></audio>
      ${sounds.length > 1 && html`<${Select} label="Whose sound" value=${String(sound.id)} set=${player.choose}
        options=${sounds.map((one) => [String(one.id), nameOf(one)])} />`}
      ${!session()?.isReader && html`<${Button} kind="small warn-text" icon="trash"
        onClick=${() => ask(true)}>Delete the sound<//>`}
    </div>
    ${error && html`<${Note}>${error} <${Button} kind="small" onClick=${player.again}>Try again<//><//>`}
    ${isAsked && html`<${Confirm} title="Delete the sound?" word="Delete" close=${() => ask(false)}
      run=${() => remove(`meetings/${id}/audio`)} done=${() => {
        ask(false);
        deleted();
      }}><p>The sound of this meeting is deleted from the disk. Its words stay. This cannot be undone.</p><//>`}`;
}
