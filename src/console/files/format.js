// Figures, times and the words of the API as people read them.

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const NUMBER = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const LANGUAGE = new Intl.DisplayNames("en", { type: "language" });

/// The languages that a bot can be told.
export const LANGUAGES = (
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he " +
  "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne " +
  "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk " +
  "ur uz vi yi yo yue zh"
).split(" ");

export const PLATFORMS = {
  google_meet: "Google Meet",
  teams: "Microsoft Teams",
  zoom: "Zoom",
  jitsi: "Jitsi",
  generic: "Web page",
};

/// The name of a status, and its tone: live, wait, done or bad.
export const STATUSES = {
  scheduled: ["Planned", "wait"],
  requested: ["Requested", "wait"],
  joining: ["Joining", "wait"],
  awaiting_admission: ["Waiting to be let in", "wait"],
  active: ["In the meeting", "live"],
  stopping: ["Leaving", "wait"],
  completed: ["Completed", "done"],
  failed: ["Failed", "bad"],
};

const REASONS = {
  stopped: "Stopped on request",
  validation_error: "The request was not valid",
  awaiting_admission_timeout: "Nobody let the bot in",
  awaiting_admission_rejected: "The bot was turned away",
  left_alone: "Everybody had left",
  evicted: "The bot was removed from the meeting",
  removed_by_admin: "Removed by the host",
  admission_rejected_by_admin: "The host turned the bot away",
  idle_after_scheduled_end: "Idle after the scheduled end",
};

const WITHHELD = {
  repeats: "the text repeats itself",
  unsure: "the engine was not sure itself",
  known_of_silence: "engines say this of silence",
  no_voice: "nobody spoke there",
};

export const number = (value) => (value == null ? "–" : NUMBER.format(value));
export const dateTime = (time) => DATE.format(new Date(time));
export const clock = (time) => CLOCK.format(new Date(time));
export const day = (text) => DAY.format(new Date(`${text}T00:00:00Z`));
export const plural = (count, one, many = `${one}s`) =>
  `${number(count)} ${count === 1 ? one : many}`;

/// How long ago, or in how long.
export function ago(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return "just now";
  if (size < 3600) return RELATIVE.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return RELATIVE.format(Math.round(seconds / 3600), "hour");
  if (size < 60 * 86_400) return RELATIVE.format(Math.round(seconds / 86_400), "day");
  return RELATIVE.format(Math.round(seconds / (30 * 86_400)), "month");
}

export function duration(seconds) {
  if (seconds == null) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 2 * 86_400) {
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  }
  return plural(Math.round(whole / 86_400), "day");
}

export function bytes(count) {
  if (count == null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${NUMBER.format(size)} ${units[unit]}`;
}

/// The clock of a recording: 1:02:03.
export function position(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (part) => String(part).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function language(code) {
  if (!code) return "";
  try {
    return LANGUAGE.of(code) ?? code;
  } catch {
    return code;
  }
}

/// What a table says of a word; a bot may send words that no table has, such as "constructor".
const known = (table, name, other) => (Object.hasOwn(table, name ?? "") ? table[name] : other);
export const platform = (name) => known(PLATFORMS, name, words(name));
export const status = (name) => known(STATUSES, name, [words(name), "done"]);
export const isOver = (name) => name === "completed" || name === "failed";
export const reason = (name) => known(REASONS, name, words(name));
export const reasonWithheld = (name) => known(WITHHELD, name, words(name));

/// A word of the API in plain letters: `user_disabled` becomes `User disabled`.
export function words(name) {
  const plain = String(name ?? "").replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

/// What a token may do, in a few words.
export function scope({ read_only: isReadOnly, platforms, meeting, transcribe, transcribe_only: isForSound }) {
  const parts = [isReadOnly ? "Read only" : "Read and write"];
  if (isForSound) parts[0] = "Transcription only";
  else if (transcribe !== undefined) parts.push(transcribe ? "transcription" : "no transcription");
  if (platforms?.length) parts.push(platforms.map(platform).join(", "));
  if (meeting) parts.push(`only ${meeting.native_meeting_id}`);
  return parts.join(" · ");
}

/// Today or another day in UTC, as YYYY-MM-DD.
export function dayBefore(days = 0) {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
}
