// The TypeScript client of Vomeet, the self-hosted meeting-bot and transcription API.
export { VomeetClient } from "./client.js";
export { VomeetClientError } from "./errors.js";
