//! Web pages of other origins: refused unless configured (Fetch, section 3.3).

use crate::server::{Server, Setup};

const ORIGIN: &str = "https://app.example.com";

#[test]
fn cors_is_off_unless_configured() {
    let preflight = |server: &Server, origin: &str| {
        let call = server.call("OPTIONS", "/admin/users").header("Origin", origin);
        call.header("Access-Control-Request-Method", "POST").send()
    };
    let off = Server::start();
    assert_eq!(preflight(&off, ORIGIN).status, 405);
    assert!(
        off.get("/user")
            .header("Origin", ORIGIN)
            .send()
            .header("access-control-allow-origin")
            .is_none()
    );

    let on = Setup::new().set("VOMEET_HTTP_CORS_ORIGINS", ORIGIN).start();
    for (origin, allowed) in [
        (ORIGIN, true),
        ("https://evil.example", false),
        ("https://app.example.com.evil.example", false),
        ("http://app.example.com", false),
        ("null", false),
        ("", false),
    ] {
        let answer = preflight(&on, origin);
        assert_eq!(answer.status, if allowed { 204 } else { 405 }, "{origin}");
        let call = on.get("/user").header("Origin", origin).send();
        for answer in [&answer, &call] {
            let expected = allowed.then_some(origin);
            assert_eq!(answer.header("access-control-allow-origin"), expected, "{origin}");
            let readable = answer.header("access-control-expose-headers").unwrap_or_default();
            assert_eq!(readable.contains("X-Token-Expires-At"), allowed, "{origin}: {readable}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
        }
    }
    let answer = preflight(&on, ORIGIN);
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
    let headers = answer.header("access-control-allow-headers").expect("headers");
    assert!(headers.contains("X-API-Key") && headers.contains("X-Admin-API-Key"), "{headers}");
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(on.call("OPTIONS", "/nowhere").header("Origin", ORIGIN).send().status, 404);
    let all = Setup::new().set("VOMEET_HTTP_CORS_ORIGINS", "*").start();
    let answer = preflight(&all, "https://any.example");
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (204, Some("https://any.example"))
    );
}
