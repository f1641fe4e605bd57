export type { components, paths } from "../api.js";
export type { Arguments, Input, Method, Operation, PathsWith, Result, Schemas } from "./calls.js";
export type { ClientOptions, TranscribeOptions, Transcription, UploadOptions, } from "./client.js";
export { VomeetClient } from "./client.js";
export { type Failure, VomeetClientError } from "./errors.js";
export type { LiveEvent, LiveMeeting, LiveSegment, MeetingName, Socket, SocketConstructor, StatusEvent, SubscribedEvent, TranscriptEvent, WatchOptions, } from "./live.js";
