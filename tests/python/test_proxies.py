"""The proxies of docs/deployment.md, as written there, in front of a real server."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from functools import partial

import pytest
import websockets
from documents import blocks_of
from live_server import REPOSITORY, running
from vomeet_client import VomeetClient

PATIENCE_SECONDS = 60
ADMIN_KEY = "Kq7vRz2LmX9tBw4NcY6h"
NAME = "vomeet.example.com"
SITE = REPOSITORY / "docs" / "deployment.md"


def documented(language, having=""):
    """The one block of the document in this language that has these words."""
    blocks = [block for block in blocks_of(SITE) if block.language == language]
    [block] = [block for block in blocks if having in block.code]
    return block.code


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx(folder, port, server, pem=None):
    site = documented("nginx").replace("http://127.0.0.1:18056", server)
    if pem:
        site = site.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;")
        site = re.sub(r"(ssl_certificate(_key)?) .*\n", rf"\1 {pem};\n", site)
    else:
        site = site.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{port};")
        site = re.sub(r" *ssl_certificate(_key)? .*\n", "", site)
    kept = f"upstream kept {{ server {server.removeprefix('http://')}; keepalive 8; }}"
    site = site.replace(server, "http://kept")
    folders = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;"
        f"events {{}} http {{ access_log off; {folders}\n{kept}\n{site}\n}}"
    )
    return ["nginx", "-p", folder, "-c", config]


def caddy(folder, port, server, pem=None):
    site = documented("caddy").replace("127.0.0.1:18056", server.removeprefix("http://"))
    site = site.replace(NAME, f"{'https' if pem else 'http'}://{NAME}:{port}")
    if pem:
        site = site.replace("{\n", f"{{\n    tls {pem} {pem}\n", 1)
    config = folder / "Caddyfile"
    config.write_text("{\n admin off\n auto_https off\n}\n" + site)
    return ["caddy", "run", "--config", config, "--adapter", "caddyfile"]


def haproxy(folder, port, server, pem=None):
    site = documented("haproxy").replace("127.0.0.1:18056", server.removeprefix("http://"))
    if pem:
        site = site.replace(":443 ssl crt /etc/ssl/vomeet.pem", f"127.0.0.1:{port} ssl crt {pem}")
    else:
        site = re.sub(r"bind :443 .*", f"bind 127.0.0.1:{port}", site)
    config = folder / "haproxy.cfg"
    config.write_text("defaults\n    mode http\n\n" + site)
    return ["haproxy", "-db", "-f", config]


def ask(url, **headers):
    """The status and body of a GET for the public name."""
    request = urllib.request.Request(url, headers={"Host": NAME, **headers})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def certificate(folder):
    """A certificate for the public name and its key, in one file."""
    pem = folder / "vomeet.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    make += f" -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout {pem} -out {folder}/cert"
    subprocess.run(make.split(), check=True, capture_output=True)
    with pem.open("a") as file:
        file.write((folder / "cert").read_text())
    return pem


def fetch_by_http_2(folder, port, path):
    """The status, and the version of HTTP that curl and the proxy have agreed on."""
    url = f"https://{NAME}:{port}{path}"
    command = ["curl", "--http2", "--silent", "--cacert", folder / "cert", url]
    command += ["--output", folder / "got", "--resolve", f"{NAME}:{port}:127.0.0.1"]
    command += ["--write-out", "%{http_code} %{http_version}"]
    # What curl fails at is its output, "000 0", until the proxy listens.
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.stdout


@contextmanager
def proxied(proxy, folder):
    """The server's address, and the proxy's in front of it."""
    (folder / "vomeet.toml").write_text(documented("toml", having="trusted_proxies"))
    with running(folder, ADMIN_API_TOKEN=ADMIN_KEY) as server:
        port = free_port()
        with (folder / "proxy.log").open("w") as log:
            process = subprocess.Popen(proxy(folder, port, server), stdout=log, stderr=log)
        try:
            public = f"http://127.0.0.1:{port}"
            wait_for(lambda: ask(f"{public}/")[0] == 200, process, folder / "proxy.log")
            yield server, public
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def wait_for(condition, process, log):
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


async def greet(public, token):
    """Ping over the live feed, by the public name."""
    port = int(public.rsplit(":", 1)[1])
    headers = {"X-API-Key": token}
    async with websockets.connect(
        f"ws://{NAME}:{port}/ws", host="127.0.0.1", port=port, additional_headers=headers
    ) as feed:
        await feed.send(json.dumps({"action": "ping"}))
        return json.loads(await feed.recv())


@pytest.mark.parametrize("proxy", [nginx, caddy, haproxy])
def test_the_documented_proxy(proxy, tmp_path):
    assert shutil.which(proxy.__name__), f"this test needs {proxy.__name__}"
    with proxied(proxy, tmp_path) as (server, public):
        direct = VomeetClient(base_url=server, admin_key=ADMIN_KEY)
        user = direct.create_user("behind@example.com")
        token = direct.create_token(user["id"])

        # Many requests on few connections of the proxy: none of them meets one that was closed.
        for _ in range(200):
            status, body = ask(f"{public}/user", **{"X-API-Key": token["token"]})
            assert (status, json.loads(body)["email"]) == (200, "behind@example.com")
        # The client is known by its own address, which only a trusted proxy may say.
        other = direct.create_token(user["id"])
        forwarded = {"X-API-Key": other["token"], "X-Forwarded-For": "203.0.113.9"}
        assert ask(f"{public}/user", **forwarded)[0] == 200
        address = direct.get_token(other["id"])["last_address"]
        # The client here is a trusted proxy itself, so what it says counts; Caddy trusts nobody by itself.
        assert address == ("127.0.0.1" if proxy is caddy else "203.0.113.9")

        assert asyncio.run(greet(public, token["token"])) == {"type": "pong"}
        for inside in ["/metrics", "/healthz", "/ready", "/bots/internal/segments"]:
            assert ask(f"{public}{inside}")[0] == 403, inside


@pytest.mark.parametrize("proxy", [nginx, caddy, haproxy])
def test_the_documented_proxy_speaks_http_2(proxy, tmp_path):
    assert shutil.which(proxy.__name__), f"this test needs {proxy.__name__}"
    (tmp_path / "vomeet.toml").write_text(documented("toml", having="trusted_proxies"))
    pem = certificate(tmp_path)
    with running(tmp_path, ADMIN_API_TOKEN=ADMIN_KEY) as server:
        port = free_port()
        with (tmp_path / "proxy.log").open("w") as log:
            process = subprocess.Popen(proxy(tmp_path, port, server, pem), stdout=log, stderr=log)
        try:
            asked = partial(fetch_by_http_2, tmp_path, port)
            wait_for(lambda: asked("/openapi.json")[:3] == "200", process, tmp_path / "proxy.log")
            assert asked("/openapi.json") == "200 2"
            assert asked("/metrics") == "403 2"
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
