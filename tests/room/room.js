// A room of WebRTC, each with each, without STUN: whoever comes calls those who are there. In a room
// whose address says `?names=later`, the page shows who somebody is once they introduce themselves.
const isNamed = new URLSearchParams(location.search).get("names") !== "later";
const connections = new Map();
let own = null;
let sending = Promise.resolve();

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  return answer.json();
}

// One after the other: a candidate is of no use before the description that it belongs to.
function send(to, body) {
  sending = sending.then(() => post("/send", { from: own.id, to, ...body }));
  return sending;
}

function leave(id) {
  connections.get(id)?.close();
  connections.delete(id);
  document.getElementById(id)?.remove();
}

function show(id, name, stream) {
  const person = document.createElement("figure");
  person.id = id;
  if (isNamed) person.dataset.name = name;
  const player = document.createElement("audio");
  player.autoplay = true;
  player.srcObject = stream;
  person.append(player);
  document.getElementById("people").append(person);
}

function connect(id, name) {
  const connection = new RTCPeerConnection();
  connections.set(id, connection);
  for (const track of own.sound.getTracks()) connection.addTrack(track, own.sound);
  connection.ontrack = (event) => show(id, name, event.streams[0]);
  connection.onicecandidate = ({ candidate }) => candidate && send(id, { candidate });
  return connection;
}

async function call({ id, name }) {
  const connection = connect(id, name);
  await connection.setLocalDescription();
  await send(id, { description: connection.localDescription, name: own.name });
}

async function take({ from, name, description, candidate, introduced, left }) {
  if (left) return leave(from);
  if (introduced) {
    document.getElementById(from).dataset.name = introduced;
    return undefined;
  }
  const connection = connections.get(from) ?? connect(from, name);
  if (candidate) return connection.addIceCandidate(candidate);
  await connection.setRemoteDescription(description);
  if (description.type !== "offer") return undefined;
  await connection.setLocalDescription();
  return send(from, { description: connection.localDescription });
}

async function join(name) {
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  const { id, others } = await post("/join", { name });
  own = { id, name, sound };
  let turn = Promise.resolve();
  new EventSource(`/events?id=${id}`).onmessage = ({ data }) => {
    turn = turn.then(() => take(JSON.parse(data)));
  };
  for (const other of others) await call(other);
  document.body.dataset.joined = id;
}

window.introduce = () => {
  for (const id of connections.keys()) send(id, { introduced: own.name });
};
document.getElementById("door").onsubmit = (event) => {
  event.preventDefault();
  join(document.getElementById("name").value);
};
window.addEventListener("pagehide", () => own && navigator.sendBeacon("/leave", JSON.stringify(own)));
