// The microphone of a person in the room: what `say` plays is what it hears.
const context = new AudioContext();
window.mouth = context.createMediaStreamDestination();
navigator.mediaDevices.getUserMedia = async () => window.mouth.stream;

// Says a WAV file, given in base64, from one second to another; is over when that was said.
window.say = async (file, from, to) => {
  const bytes = Uint8Array.from(atob(file), (char) => char.charCodeAt(0));
  await context.resume();
  const said = context.createBufferSource();
  said.buffer = await context.decodeAudioData(bytes.buffer);
  said.connect(window.mouth);
  const over = new Promise((resolve) => (said.onended = resolve));
  said.start(0, from, to - from);
  await over;
};
