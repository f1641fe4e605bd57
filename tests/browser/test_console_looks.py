"""How the console looks and is reached: axe, phones, themes, the keyboard alone, its policy."""

import re
from pathlib import Path

import pytest
from console_page import DESKTOP, PATIENCE_MS, PHONE, ask, console
from live_server import ADMIN_KEY
from playwright.sync_api import expect

AXE = Path(__file__).resolve().parents[2] / ".venv/axe/node_modules/axe-core/axe.min.js"
ADMIN_PAGES = [
    "overview", "users", "users/1", "keys", "keys?show=ending", "keys?show=unused",
    "keys?show=explain", "keys?show=refused", "keys?show=admin", "meetings", "meetings/1", "usage",
    "audit", "system",
]
TABS = {
    "ending": "Ending in a week", "unused": "Unused for 30 days", "explain": "Explain a key",
    "refused": "Refused", "admin": "Admin keys",
}
USER_PAGES = [
    "meetings", "meetings/google_meet/abc-defg-hij", "search", "transcription", "webhooks", "keys",
    "usage",
]
LOOKS = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
}


@pytest.fixture(scope="module")
def filled(base_url):
    """A user with a token and a meeting that is over."""
    wish = {"email": "one@example.com", "max_concurrent_bots": 1}
    user = ask(base_url, "POST", "admin/users", wish, admin=ADMIN_KEY)
    path = f"admin/users/{user['id']}/tokens"
    token = ask(base_url, "POST", path, {"name": "laptop"}, admin=ADMIN_KEY)["token"]
    link = "https://meet.google.com/abc-defg-hij"
    ask(base_url, "POST", "bots", {"meeting_url": link}, user=token)
    return token


def axe(page):
    """What axe finds: rule and element. The debugger brings axe in, past the policy of the page."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def check(tab, name):
    """A page without findings of axe, and without a scroll bar to the side."""
    assert axe(tab.page) == [], name
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    tab.picture(f"look-{re.sub('[^a-z0-9]+', '-', name)}")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("kind, pages", [("admin", ADMIN_PAGES), ("user", USER_PAGES)])
def test_axe_finds_nothing_on_any_page(browser, base_url, filled, look, kind, pages):
    with console(browser, base_url, **LOOKS[look]) as tab:
        tab.open()
        tab.title("Sign in to Vomeet")
        check(tab, f"sign in {look}")
        tab.sign_in(ADMIN_KEY if kind == "admin" else filled)
        for path in pages:
            tab.open(path)
            tab.shows(path)
            if wanted := re.search("show=([a-z]+)", path):
                chosen = tab.page.get_by_role("tab", name=TABS[wanted[1]])
                expect(chosen).to_have_attribute("aria-selected", "true")
            if path == "audit":
                tab.page.locator(".entries summary").first.click()
            check(tab, f"{kind} {path} {look}")


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_dialogs(browser, base_url, filled, look):
    with console(browser, base_url, **LOOKS[look]) as tab:
        tab.sign_in(ADMIN_KEY)
        tab.open("users/1")
        for name, title in [("Edit", "Edit one@example.com"), ("Create a token", "Create a token"),
                            ("Narrow laptop", "Narrow this token"),
                            ("Rotate laptop", "Rotate this token"),
                            ("Revoke laptop", "Revoke this token?"),
                            ("Disable", "Disable this user?"), ("Erase", "Erase this user?")]:
            tab.press(name)
            dialog = tab.dialog(title)
            assert axe(tab.page) == [], title
            tab.picture(f"look-dialog-{name.lower().replace(' ', '-')}-{look}")
            tab.page.keyboard.press("Escape")
            dialog.wait_for(state="detached")
        # The focus is back where it was.
        expect(tab.page.get_by_role("button", name="Erase", exact=True)).to_be_focused()
        tab.press("Create a token")
        tab.press("Create", within=tab.dialog("Create a token"))
        tab.dialog("The token was created")
        assert axe(tab.page) == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_dialogs_of_users(browser, base_url, filled, look):
    with console(browser, base_url, **LOOKS[look]) as tab:
        tab.sign_in(filled)
        for path, name, title in [
            ("meetings/google_meet/abc-defg-hij", "Name and notes", "Name and notes"),
            ("webhooks", "Set a webhook", "Webhook"),
            ("transcription", "Set an engine", "Your engine"),
        ]:
            tab.open(path)
            tab.press(name)
            dialog = tab.dialog(title)
            assert axe(tab.page) == [], title
            tab.page.keyboard.press("Escape")
            dialog.wait_for(state="detached")


def test_on_a_phone_the_navigation_is_behind_a_button(browser, base_url, filled):
    with console(browser, base_url, **LOOKS["phone"]) as tab:
        tab.sign_in(ADMIN_KEY)
        menu = tab.page.get_by_role("button", name="Menu")
        expect(menu).to_have_attribute("aria-expanded", "false")
        menu.click()
        expect(menu).to_have_attribute("aria-expanded", "true")
        assert axe(tab.page) == []
        tab.page.keyboard.press("Escape")
        expect(menu).to_have_attribute("aria-expanded", "false")
        menu.click()
        tab.go("Users")
        expect(menu).to_have_attribute("aria-expanded", "false")
        expect(tab.page.get_by_role("link", name="one@example.com")).to_be_visible()


def background(tab):
    return tab.page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_theme_follows_the_system_until_it_is_chosen(browser, base_url):
    with console(browser, base_url, **LOOKS["dark"]) as tab:
        tab.sign_in(ADMIN_KEY)
        dark = background(tab)
        tab.press("Change to the light theme")
        light = background(tab)
        assert light != dark
        tab.page.reload()
        tab.title("Sign in to Vomeet")
        assert background(tab) == light
        tab.sign_in(ADMIN_KEY)
        tab.press("Change to the dark theme")
        assert background(tab) == dark


def test_the_keyboard_alone_signs_in_adds_a_user_and_signs_out(tab):
    keyboard = tab.page.keyboard
    tab.open()
    expect(tab.page.get_by_label("Key", exact=True)).to_be_focused()
    keyboard.type(ADMIN_KEY)
    keyboard.press("Enter")
    tab.title("Overview")
    walk(tab, "Users")
    keyboard.press("Enter")
    tab.title("Users")
    expect(tab.page.get_by_role("heading", level=1)).to_be_focused()
    walk(tab, "Add a user")
    keyboard.press("Enter")
    dialog = tab.dialog("Add a user")
    walk(tab, "E-mail address")
    keyboard.type("keys@example.com")
    keyboard.press("Enter")
    tab.title("keys@example.com")
    expect(dialog).to_have_count(0)
    # Round by the address bar to the button at the top.
    walk(tab, "Sign out")
    keyboard.press("Enter")
    tab.title("Sign in to Vomeet")


def walk(tab, name):
    """Press Tab until the element with this name has the focus, which must be seen there."""
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        at = tab.page.evaluate(
            """() => {
              const at = document.activeElement;
              const label = at.labels?.[0] ?? at;
              const outline = getComputedStyle(at).outlineStyle;
              return [(label.innerText ?? "").trim(), outline];
            }"""
        )
        if at[0] == name:
            assert at[1] != "none", f"the focus on {name} is not seen"
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_the_policy_keeps_foreign_and_inline_scripts_out(browser, base_url):
    """The negative control: what the page may not run is refused, and seen to be."""
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{base_url}/console/")
    page.get_by_role("heading", level=1).wait_for()
    assert complaints == []
    page.evaluate(
        """() => {
          const scripts = [["src", "http://outside.invalid/"], ["text", "window.ran = 1"]];
          for (const [name, value] of scripts) {
            const script = document.createElement("script");
            script[name] = value;
            document.body.append(script);
          }
          document.body.setAttribute("style", "color: red");
        }"""
    )
    for _ in range(PATIENCE_MS // 100):
        refused = [text for text in complaints if "Content Security Policy" in text]
        if len(refused) >= 3:
            break
        page.wait_for_timeout(100)
    assert len(refused) >= 3 and page.evaluate("window.ran") is None, complaints
    page.close()
