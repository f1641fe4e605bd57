// Hears each remote person of a page. It runs in every page and frame before the page's own scripts
// do, puts itself between the page and RTCPeerConnection, and hands on what each remote audio track
// says, as blocks of 16 kHz, one channel, signed samples of 16 bits, with the name of who says it:
// window.vomeetHeard(track, name, block in base64), and without a block once the track is over.
(() => {
  const Connection = window.RTCPeerConnection;
  if (!Connection) return;

  const RATE = 16000;
  const BLOCK_SAMPLES = RATE / 10;
  // So long a track waits for the page to show a name, in milliseconds.
  const NAME_MS_MAX = 3000;
  const LOOK_MS = 1000;
  const RECORDER = `
    registerProcessor("recorder", class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.block = new Int16Array(${BLOCK_SAMPLES});
        this.filled = 0;
        this.isOver = false;
        this.port.onmessage = () => { this.isOver = true; };
      }
      process([input], [output]) {
        const samples = input[0];
        for (let i = 0; i < output[0].length; i += 1) {
          const sample = samples ? Math.max(-1, Math.min(1, samples[i])) : 0;
          this.block[this.filled] = Math.round(sample * 32767);
          this.filled += 1;
          if (this.filled === this.block.length) this.flush();
        }
        return !this.isOver;
      }
      flush() {
        this.port.postMessage(this.block.buffer, [this.block.buffer]);
        this.block = new Int16Array(${BLOCK_SAMPLES});
        this.filled = 0;
      }
    });`;

  const taps = new Map();
  let recorder = null;

  // A clock of its own, and no loudspeaker: the browser resamples what comes to its rate.
  function startRecorder() {
    const context = new AudioContext({ sampleRate: RATE, sinkId: { type: "none" } });
    const url = URL.createObjectURL(new Blob([RECORDER], { type: "text/javascript" }));
    const ready = Promise.all([context.audioWorklet.addModule(url), context.resume()]);
    return { context, ready };
  }

  // The name that the page gives to a track: data-name of the element that plays it, or of what
  // that element is in.
  function nameOnPage(track) {
    for (const element of document.querySelectorAll("audio, video")) {
      const tracks = element.srcObject?.getTracks?.() ?? [];
      if (!tracks.some((one) => one.id === track.id)) continue;
      const name = element.closest("[data-name]")?.dataset.name.trim();
      if (name) return name;
    }
    return null;
  }

  class Tap {
    constructor(connection, track, stream) {
      this.connection = connection;
      this.track = track;
      this.fallback = stream?.id || track.id;
      this.name = null;
      this.held = [];
      this.began = performance.now();
    }

    async start() {
      recorder ??= startRecorder();
      const { context, ready } = recorder;
      await ready;
      const stream = new MediaStream([this.track]);
      // A remote track gives sound only while an element plays it.
      this.player = new Audio();
      this.player.muted = true;
      this.player.srcObject = stream;
      this.source = context.createMediaStreamSource(stream);
      this.node = new AudioWorkletNode(context, "recorder", {
        channelCount: 1,
        channelCountMode: "explicit",
      });
      this.node.port.onmessage = (message) => this.hear(message.data);
      this.source.connect(this.node).connect(context.destination);
      this.timer = setInterval(() => this.look(), LOOK_MS);
      this.look();
    }

    // Looks for the name, and whether the track is over.
    look() {
      const isClosed = ["closed", "failed"].includes(this.connection.connectionState);
      if (isClosed || this.track.readyState === "ended") {
        this.end();
        return;
      }
      const found = nameOnPage(this.track);
      const isLate = performance.now() - this.began > NAME_MS_MAX;
      this.name = found ?? this.name ?? (isLate ? this.fallback : null);
    }

    hear(block) {
      if (this.name === null) this.look();
      this.held.push(block);
      if (this.name === null) return;
      for (const one of this.held.splice(0)) {
        const bytes = String.fromCharCode(...new Uint8Array(one));
        window.vomeetHeard(this.track.id, this.name, btoa(bytes));
      }
    }

    end() {
      clearInterval(this.timer);
      this.name ??= this.fallback;
      this.node.port.postMessage("over");
      this.node.port.onmessage = null;
      this.source.disconnect();
      this.node.disconnect();
      this.player.srcObject = null;
      taps.delete(this.track.id);
      window.vomeetHeard(this.track.id, this.name, null);
    }
  }

  function tap(connection, track, stream) {
    if (track.kind !== "audio" || taps.has(track.id)) return;
    const tap = new Tap(connection, track, stream);
    taps.set(track.id, tap);
    tap.start().catch((error) => {
      taps.delete(track.id);
      console.error(`a track cannot be heard: ${error}`);
    });
  }

  class TappedConnection extends Connection {
    constructor(...settings) {
      super(...settings);
      this.addEventListener("track", (event) => tap(this, event.track, event.streams[0]));
    }
  }
  Object.defineProperty(TappedConnection, "name", { value: "RTCPeerConnection" });
  window.RTCPeerConnection = TappedConnection;
  window.webkitRTCPeerConnection = TappedConnection;

  // The bot has no microphone and no camera, and most pages let nobody in without.
  function silence(wanted) {
    const stream = new MediaStream();
    if (wanted?.audio) {
      recorder ??= startRecorder();
      const { stream: silent } = recorder.context.createMediaStreamDestination();
      stream.addTrack(silent.getAudioTracks()[0]);
    }
    if (wanted?.video) {
      const canvas = document.createElement("canvas");
      canvas.getContext("2d").fillRect(0, 0, canvas.width, canvas.height);
      stream.addTrack(canvas.captureStream(1).getVideoTracks()[0]);
    }
    return stream;
  }
  if (navigator.mediaDevices) {
    navigator.mediaDevices.getUserMedia = async (wanted) => silence(wanted);
  }
})();
