"""The meeting's page in Chromium, and what is heard in it."""

import base64
import shutil
import time
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from playwright.async_api import async_playwright

TAP = Path(__file__).with_name("tap.js")
OPEN_MS = 60_000
FLAGS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
)
# So that the tests' page, which is on this machine, can be reached by WebRTC as well.
LOOPBACK_FLAGS = (
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


class NoPage(Exception):
    """The page cannot be opened or joined."""


def address(config, settings):
    """What is opened: the meeting's link, and for Jitsi what spares its first page."""
    url = urlsplit(config["meetingUrl"])
    if url.scheme != "https":
        raise NoPage("meetingUrl is not https")
    if config["platform"] == "jitsi":
        name = quote(f'"{config["botName"]}"')
        fragment = f"config.prejoinConfig.enabled=false&userInfo.displayName={name}"
        url = url._replace(fragment=fragment)
    elif config["platform"] != "generic":
        raise NoPage(f"this bot does not log in to {config['platform']}")
    if settings.loopback:
        url = url._replace(scheme="http", netloc=f"127.0.0.1:{settings.loopback}")
    return urlunsplit(url)


class Page:
    """An open page, and who is heard in it."""

    def __init__(self, sound):
        self.sound = sound
        self.tracks = {}
        self.is_over = False
        self.opened_at = time.monotonic()
        self.last_seen_at = None

    def hear(self, _source, track, name, block):
        """What tap.js hands on."""
        if block is None:
            self.tracks.pop(track, None)
            print(f"page: {name} has left", flush=True)
            self.sound.end_track(track, name)
            return
        if self.tracks.get(track) != name:
            print(f"page: {name} is here", flush=True)
        self.tracks[track] = name
        self.last_seen_at = time.monotonic()
        self.sound.hear(track, name, base64.b64decode(block))

    def alone_since(self):
        """Since when nobody else is there, and whether somebody was before; or nothing."""
        if self.tracks:
            return None
        if self.last_seen_at is None:
            return self.opened_at, False
        return self.last_seen_at, True


@asynccontextmanager
async def opened(config, settings, sound, on_fault):
    """Opens the page in a browser of its own and joins; closes both at the end.

    `on_fault` is called with a sentence once the page is of no use any more.
    """
    url = address(config, settings)
    chromium = settings.chromium or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise NoPage("there is no Chromium: install it, or name it in WEBRTC_BOT_CHROMIUM")
    flags = [*FLAGS, *(LOOPBACK_FLAGS if settings.loopback else ())]
    page = Page(sound)

    def fault(why):
        if not page.is_over:
            on_fault(why)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=flags,
            chromium_sandbox=settings.has_sandbox,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        try:
            browser.on("disconnected", lambda _: fault("Chromium has ended"))
            # The policy of a page would keep the recorder out, which is a script that is no file.
            context = await browser.new_context(bypass_csp=True)
            await context.expose_binding("vomeetHeard", page.hear)
            await context.add_init_script(path=TAP)
            tab = await context.new_page()
            tab.set_default_timeout(OPEN_MS)
            tab.on("console", _say_error)
            tab.on("crash", lambda _: fault("the page has crashed"))
            await _join(tab, url, config["botName"], settings)
            page.opened_at = time.monotonic()
            yield page
        finally:
            page.is_over = True
            await browser.close()


async def _join(tab, url, name, settings):
    response = await tab.goto(url, timeout=OPEN_MS)
    if response and response.status >= 400:
        raise NoPage(f"the page answers with {response.status}")
    if settings.name_field:
        await tab.fill(settings.name_field, name)
    if settings.join_button:
        await tab.click(settings.join_button)


def _say_error(said):
    if said.type == "error":
        print("page:", said.text, flush=True)
