// One of one's own meetings: the transcript, which grows while the meeting goes on.

import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { get, patch, put, remove, useEvery, useLoad } from "./api.js";
import { Alarms, Late, Progress } from "./alarms.js";
import { LineDialog, SpeakerDialog } from "./correct.js";
import { Confirm, FormDialog } from "./dialog.js";
import { dateTime, isOver, plural } from "./format.js";
import { follow } from "./live.js";
import { length } from "./meetings.js";
import { LanguageChoice } from "./my-meetings.js";
import { Badge, Button, Card, Copy, Empty, Failed, Field, Head, Note, Place, SearchField, Skeleton, Status, say } from "./parts.js";
import { Player, usePlayer } from "./player.js";
import { Save, plainText } from "./save.js";
import { sentId } from "./session.js";
import { Shares } from "./shares.js";
import { Spoken, count, merged, withWithheld } from "./spoken.js";
import { Timeline, ending } from "./timeline.js";
import { Choice } from "./tokens.js";

const CONNECTING = { isLive: false, why: "" };
/// A transcript that could not be loaded again is asked for once more after so many seconds.
const RETRY_SECONDS = 5;
/// Alarms, and how far the words of a recording are, are asked for once more after so many seconds.
const LOOK_SECONDS = 20;
const ON_TIME = { seconds: 0, windows: 0 };

export default function TranscriptPage({ parts, query }) {
  const [, where, native] = parts;
  const id = sentId(query.get("id"));
  const name = `${encodeURIComponent(where)}/${encodeURIComponent(native)}`;
  const [isWithheldShown, showWithheld] = useState(false);
  const shown = isWithheldShown ? "true" : null;
  const loaded = useLoad((signal) => get(`transcripts/${name}`, { meeting_id: id, withheld: shown }, signal),
    [name, id, shown]);
  const [known, setSegments] = useState(null);
  const [feed, setFeed] = useState(CONNECTING);
  const [asked, ask] = useState(null);
  const [wanted, search] = useState("");
  // Whether lines and names are buttons that correct them, and what is being corrected.
  const [isCorrecting, setCorrecting] = useState(false);
  const [line, setLine] = useState(null);
  const [named, setNamed] = useState(null);
  const meeting = loaded.data;
  const segments = known ?? meeting?.segments ?? [];
  const withheld = isWithheldShown ? meeting?.withheld : null;
  const lines = useMemo(() => (withheld ? withWithheld(segments, withheld) : segments), [segments, withheld]);
  const isOpen = Boolean(meeting) && !isOver(meeting.status);
  // What else is known of the meeting: alarms, the sound that is kept, how far a recording is.
  const about = useLoad((signal) => meeting && get(`meetings/${meeting.id}`, {}, signal), [meeting?.id]);
  const progress = about.data?.transcription;
  const isHeard = progress && progress.state !== "done" && progress.state !== "failed";
  const sounds = (!isOpen && !isHeard && about.data?.sounds) || [];
  const player = usePlayer({ id: meeting?.id, sounds, segments: lines, lost: about.reload });
  // Whoever has deleted the sound, the player goes.
  const had = useRef(false);
  useEffect(() => {
    if (had.current && !sounds.length && about.data) say("The sound is deleted");
    had.current = sounds.length > 0;
  }, [sounds.length]);
  const [late, setLate] = useState(ON_TIME);
  // What was pushed since the transcript was last asked for, by segment, null for those withdrawn:
  // it may be newer than the response.
  const pushed = useRef(new Map());
  useEffect(() => {
    if (!meeting) return;
    const later = isOpen ? [...pushed.current] : [];
    const removed = later.filter(([, segment]) => !segment).map(([gone]) => gone);
    const more = later.map(([, segment]) => segment).filter(Boolean);
    setSegments(merged(meeting.segments, more, removed));
  }, [meeting]);
  const reload = useRef(null);
  reload.current = () => {
    pushed.current.clear();
    return loaded.reload();
  };
  useEvery(LOOK_SECONDS, () => {
    if (isOpen || isHeard) about.reload();
    if (isHeard || (isOpen && isWithheldShown)) reload.current();
  });
  // Once the meeting is over its sound may be kept; once a recording is heard its words are there.
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current && meeting) {
      about.reload();
      reload.current();
    }
    isFirst.current = !meeting;
  }, [isOpen, Boolean(isHeard)]);
  useEvery(RETRY_SECONDS, () => meeting && loaded.error && !loaded.isLoading && reload.current());
  useEffect(() => {
    if (!isOpen) return undefined;
    setFeed(CONNECTING);
    return follow(meeting, {
      // Whatever was said before the subscription is asked for after it: nothing is missed.
      open: () => {
        setLate(ON_TIME);
        reload.current();
      },
      segments: (more, removed) => {
        for (const gone of removed) pushed.current.set(gone, null);
        for (const segment of more) pushed.current.set(segment.segment_id, segment);
        setSegments((old) => merged(old ?? [], more, removed));
      },
      status: () => reload.current(),
      lag: setLate,
      state: (isLive, why = "") => setFeed({ isLive, why }),
    });
  }, [isOpen, meeting?.id]);

  const back = { href: "#/meetings", text: "Meetings" };
  // Until it is known whether its sound is kept, so that nothing jumps.
  const isKnown = about.data || about.error;
  if (!meeting || !isKnown || about.isOther) {
    return html`<${Head} title=${native} back=${back} />
      ${loaded.error ? html`<${Failed} of=${loaded} />` : html`<${Skeleton} lines=${8} />`}`;
  }
  const title = meeting.data.name ?? native;
  const done = (message) => () => {
    say(message);
    // Whose sound is whose changes with a name.
    about.reload();
    ask(null);
    setLine(null);
    setNamed(null);
    reload.current();
  };
  const given = { meeting, name, close: () => ask(null), done };
  const end = ending(meeting);
  return html`
    <${Head} title=${title} lead=${html`<${Place} of=${meeting} /> · <${When} of=${meeting} /> · <${Status}
      of=${meeting.status} />`} back=${back}>
      <${Button} icon="edit" onClick=${() => ask("name")}>Name and notes<//>
      ${meeting.status === "active" && html`<${Button} onClick=${() => ask("language")}>Language<//>`}
      ${isOpen && html`<${Button} kind="warn-text" icon="stop" onClick=${() => ask("stop")}>Stop<//>`}
      ${!isOpen && html`<${Button} kind="warn-text" icon="trash" onClick=${() => ask("delete")}>Delete<//>`}
    <//>
    ${end && html`<${Note} tone=${meeting.status === "failed" ? "warn" : "good"}>${end}<//>`}
    <${Failed} of=${loaded} />
    ${meeting.status === "active" && about.data && html`<${Alarms} of=${about.data} />`}
    ${isOpen && late.windows > 0 && html`<${Late} of=${late} />`}
    ${progress && html`<${Progress} of=${progress} />`}
    ${feed.why && isOpen && html`<${Note} tone="warn">${feed.why}<//>`}
    ${meeting.data.notes && html`<${Card} title="Notes"><p class="notes">${meeting.data.notes}</p><//>`}
    <div class="columns uneven">
      <${Card} title=${html`Transcript ${isOpen && html`<${Feed} of=${feed} />`}`}
        actions=${segments.length > 0 && html`
        <${Button} icon="edit" aria-pressed=${isCorrecting ? "true" : "false"}
          onClick=${() => setCorrecting(!isCorrecting)}>Correct<//>
        <${Copy} label="Copy" text=${() => plainText(segments)} /><${Save} meeting=${meeting} name=${name}
          segments=${segments} />`}>
        ${sounds.length > 0 && html`<${Player} of=${player} id=${meeting.id} deleted=${about.reload} />`}
        <div class="toolbar"><${SearchField} label="Find in this transcript" value=${wanted} set=${search} />
          <${Button} kind="toggle" aria-pressed=${isWithheldShown ? "true" : "false"}
            onClick=${() => showWithheld(!isWithheldShown)}>Show withheld<//>
          <span class="faint" role="status">${found(lines, wanted, withheld)}</span></div>
        ${lines.length ? html`<${Spoken} segments=${lines} wanted=${wanted} isLive=${isOpen}
          player=${sounds.length > 0 ? player : null} correct=${isCorrecting ? setLine : null} rename=${isCorrecting ? setNamed : null} />`
          : html`<${Nothing} status=${isHeard ? "heard" : meeting.status} />`}
      <//>
      <div>
        <${Card} title="Timeline"><${Timeline} meeting=${meeting} /><//>
        ${!meeting.data.redacted && html`<${Shares} meeting=${meeting} name=${name} />`}
      </div>
    </div>
    ${line && html`<${LineDialog} meeting=${meeting} segment=${line} close=${() => setLine(null)} done=${done} />`}
    ${named && html`<${SpeakerDialog} meeting=${meeting} speaker=${named.speaker} close=${() => setNamed(null)}
      done=${done} />`}
    ${asked === "name" && html`<${NameDialog} ...${given} />`}
    ${asked === "language" && html`<${LanguageDialog} ...${given} />`}
    ${asked === "stop" && html`<${Confirm} title="Stop this bot?" word="Stop" close=${given.close}
      run=${() => remove(`bots/${name}`)} done=${done("The bot is asked to leave")}>
      <p>The bot leaves the meeting. What was said until then stays.</p><//>`}
    ${asked === "delete" && html`<${Confirm} title="Delete this transcript?" word="Delete" close=${given.close}
      run=${() => remove(`meetings/${name}`, { meeting_id: sentId(meeting.id) })} done=${() => {
        say("The transcript is deleted");
        location.hash = "#/meetings";
      }}><p>What was said in <strong>${title}</strong>, its name and its notes are deleted, from the database files
        too. This cannot be undone.</p><//>`}`;
}

/// What is said of the lines: how often a text is found, and how many are withheld where they are shown.
const found = (lines, wanted, withheld) => [
  wanted && `${count(lines, wanted)} found`,
  withheld && (withheld.length ? `${plural(withheld.length, "line is", "lines are")} withheld` : "Nothing is withheld"),
].filter(Boolean).join(", ");

/// The day and the time that a meeting began, and how long it was.
function When({ of }) {
  const start = of.start_time ?? of.created_at;
  return html`<time datetime=${start}>${dateTime(start)}</time>${of.end_time && of.start_time
    ? `, ${length(of)}` : ""}`;
}

const Feed = ({ of: { isLive } }) => (isLive ? html`<${Badge} tone="live">Live<//>`
  : html`<${Badge} tone="wait">Connecting<//>`);

function Nothing({ status }) {
  const [title, text] = {
    scheduled: ["The bot is planned", "It goes to the meeting at its time."],
    requested: ["The bot is starting", "It goes to the meeting as soon as it runs."],
    joining: ["The bot is on its way", "Words appear here once it is let in."],
    awaiting_admission: ["The bot waits to be let in", "Somebody in the meeting must admit it."],
    active: ["Nobody has spoken yet", "Words appear here as they are said."],
    stopping: ["The bot is leaving", "Nothing was said."],
    heard: ["Words are on their way", "They appear here as engines make them."],
  }[status] ?? ["Nothing was said", "The bot heard no words in this meeting, or they were deleted."];
  return html`<${Empty} icon="bot" title=${title}>${text}<//>`;
}

function NameDialog({ meeting, name, close, done }) {
  const [title, setTitle] = useState(meeting.data.name ?? "");
  const [notes, setNotes] = useState(meeting.data.notes ?? "");
  // Of several meetings at one link it is this one, and not the newest.
  const save = () => patch(`meetings/${name}`, { data: { name: title, notes } }, { meeting_id: sentId(meeting.id) });
  return html`<${FormDialog} title="Name and notes" close=${close} save=${save}
    done=${done("The meeting is changed")} word="Save">
    ${(faults) => html`
      <${Field} label="Name" value=${title} set=${setTitle} error=${faults.name} autocomplete="off" />
      <${Field} as="textarea" rows="6" label="Notes" value=${notes} set=${setNotes} error=${faults.notes} />`}
  <//>`;
}

function LanguageDialog({ name, close, done }) {
  const [spoken, setSpoken] = useState("");
  const [task, setTask] = useState("");
  const save = () => put(`bots/${name}/config`, { ...(spoken && { language: spoken }), ...(task && { task }) });
  return html`<${FormDialog} title="Language of the bot" close=${close} save=${save} word="Change"
    canSave=${Boolean(spoken || task)}
    done=${done("The bot is told")}>
    <${LanguageChoice} value=${spoken} set=${setSpoken} none="As it is" />
    <${Choice} label="Task" value=${task} set=${setTask}
      options=${[["", "As it is"], ["transcribe", "Transcribe"], ["translate", "Translate to English"]]} />
  <//>`;
}
