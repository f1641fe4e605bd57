//! What tokens may do with sound.

use crate::own_tokens::{code, create, make, start};
use crate::server::still_clock;
use serde_json::{Value, json};

/// The head of a handshake.
const UPGRADE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[test]
fn what_a_token_may_do_with_sound_is_said_narrowed_and_never_widened() {
    let clock = still_clock();
    let server = start(&clock);
    let narrow = create(&server, 1, &json!({"platforms": ["jitsi"], "transcribe": true}));
    let address = format!("/admin/tokens/{}", narrow.id);
    let shown = server.get(&address).admin().send().expect(200);
    let expected =
        json!({"read_only": false, "platforms": ["jitsi"], "meeting": null, "transcribe": true});
    assert_eq!(shown["scope"], expected);
    let patch = |body: &Value| server.patch(&address).admin().json(body).send();
    assert_eq!(patch(&json!({"transcribe": false})).expect(200)["scope"]["transcribe"], false);
    assert_eq!(patch(&json!({"transcribe": true})).status, 409);

    let only = create(&server, 1, &json!({"transcribe_only": true}));
    server.whoami(&only.text).expect(200);
    for address in ["/meetings", "/user/tokens", "/bots/status"] {
        let refused = server.get(address).user(&only.text).send();
        assert_eq!((refused.status, code(&refused).as_str()), (403, "not_allowed"), "{address}");
    }
    let address = format!("/admin/tokens/{}", only.id);
    let patch = server.patch(&address).admin().json(&json!({"transcribe_only": false})).send();
    assert_eq!(patch.status, 409);

    let deaf = create(&server, 1, &json!({"transcribe": false}));
    assert_eq!(make(&server, &deaf, &json!({"transcribe": true})).status, 403);
    assert_eq!(make(&server, &deaf, &json!({"transcribe_only": true})).status, 403);
    let made = make(&server, &deaf, &json!({"name": "another"})).expect(201);
    assert_eq!(made["scope"]["transcribe"], false);
}

#[test]
fn a_token_for_sound_alone_follows_no_meetings() {
    let server = start(&still_clock());
    let only = create(&server, 1, &json!({"transcribe_only": true}));
    let mut call = server.get("/ws").user(&only.text);
    for (name, value) in UPGRADE {
        call = call.header(name, value);
    }
    assert_eq!(code(&call.send()), "not_allowed");
    let ticket = server.post("/tickets").user(&only.text).json(&json!({"path": "/ws"})).send();
    assert_eq!(ticket.status, 403);
}
