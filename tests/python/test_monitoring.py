"""docs/monitoring.md, the alert rules and the dashboard, with a real Prometheus that scrapes a real server."""

import json
import math
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest
from documents import Reader, blocks_of
from live_server import ADMIN_KEY, REPOSITORY, running
from vomeet_client import VomeetClient, VomeetClientError

PAGE = REPOSITORY / "docs" / "monitoring.md"
ALERTS = REPOSITORY / "contrib" / "prometheus" / "alerts.yml"
DASHBOARD = REPOSITORY / "contrib" / "grafana" / "vomeet.json"
PATIENCE_SECONDS = 60
# How often what is counted must have grown before a query is asked: rates need two samples.
CHANGES = 2
COMPARISON = re.compile(r"\s*(?:==|!=|>=|<=|>|<)\s*[\d.]+\s*$")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        return answer.read().decode()


def wait_for(look):
    """Look again and again until it gives something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"nothing came of {look} within {PATIENCE_SECONDS} s")


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, base_url):
        self.base_url = base_url

    def ask(self, expression):
        """The samples of an expression now: their labels and values."""
        query = urllib.parse.urlencode({"query": expression})
        answer = json.loads(fetch(f"{self.base_url}/api/v1/query?{query}"))
        assert answer["status"] == "success", answer
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def rules(self):
        """The name and the expression of each alert."""
        answer = json.loads(fetch(f"{self.base_url}/api/v1/rules"))
        return [
            (rule["name"], rule["query"])
            for group in answer["data"]["groups"]
            for rule in group["rules"]
        ]


@contextmanager
def scraping(folder, target):
    """A Prometheus that scrapes this address each second, with our alert rules."""
    config = folder / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(ALERTS)],
                "scrape_configs": [
                    {"job_name": "vomeet", "static_configs": [{"targets": [target]}]}
                ],
            }
        )
    )
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    log = folder / "prometheus.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], stdout=stderr, stderr=stderr
        )
    try:
        prometheus = Prometheus(f"http://{address}")
        wait_for(lambda: prometheus.ask("up") or None)
        yield prometheus
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@contextmanager
def busy_server(folder):
    """A server with metrics on an address of their own, and something of everything in it."""
    metrics = f"127.0.0.1:{free_port()}"
    settings = {"VOMEET_METRICS_LISTEN": metrics, "VOMEET_BOTS_RUNNER": "demo"}
    with running(folder, **settings) as base_url:
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        user = admin.create_user("ada@example.com", max_concurrent_bots=1)
        token = admin.create_token(user["id"])["token"]
        yield metrics, admin, VomeetClient(base_url, api_key=token)


def use(admin, ada):
    """Requests of each kind, those that are refused too."""
    ada.whoami()
    admin.update_user(admin.get_user_by_email("ada@example.com")["id"], name="Ada")
    stranger = VomeetClient(ada.base_url, api_key="wrong")
    with pytest.raises(VomeetClientError):
        stranger.whoami()


@pytest.fixture(scope="module")
def monitored(tmp_path_factory):
    """A Prometheus that has scraped a server in use."""
    folder = tmp_path_factory.mktemp("monitored")
    with busy_server(folder) as (metrics, admin, ada), scraping(folder, metrics) as prometheus:

        def scraped():
            use(admin, ada)
            # Scrapes that saw the requests grow: a rate of what stood still is zero, or no number.
            grown = [
                'changes(vomeet_http_class_seconds_count{class="user_read"}[1m])',
                "changes(vomeet_store_commit_seconds_count[1m])",
            ]
            samples = [prometheus.ask(expression) for expression in grown]
            return all(found and found[0][1] >= CHANGES for found in samples)

        wait_for(scraped)
        yield prometheus, metrics


def assert_data(prometheus, expression, title):
    """Insist that an expression gives at least one number."""
    samples = prometheus.ask(expression)
    assert any(not math.isnan(value) for _, value in samples), f"{title}: {expression}: {samples}"


def test_every_query_of_the_dashboard_gives_data(monitored):
    prometheus, _ = monitored
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [
        (panel["title"], target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    assert len(queries) > 30
    for title, query in queries:
        expression = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
        assert "$" not in expression, query
        assert_data(prometheus, expression, title)


def test_every_alert_rule_has_its_data_and_is_silent_on_a_healthy_server(monitored):
    prometheus, _ = monitored
    rules = wait_for(prometheus.rules)
    assert len(rules) >= 15
    for name, query in rules:
        measured, found = COMPARISON.subn("", query)
        assert found == 1, f"{name}: {query} ends with no comparison"
        assert_data(prometheus, measured, name)
    assert prometheus.ask('ALERTS{alertstate="firing"}') == []


def promtool(*arguments, text=None):
    return subprocess.run(
        ["promtool", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_promtool_finds_nothing_in_the_metrics(monitored):
    _, metrics = monitored
    done = promtool("check", "metrics", text=fetch(f"http://{metrics}/metrics"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_finds_nothing_in_the_rules():
    done = promtool("check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


# What makes each alert fire: series, and labels that the alert has besides its instance.
FIRING = {
    "VomeetDown": ({'up{job="vomeet",instance="a"}': "0x400"}, {"job": "vomeet"}),
    "VomeetNotReady": ({'vomeet_ready{instance="a"}': "0x400"}, {}),
    "VomeetFinding": (
        {'vomeet_health_finding{instance="a",code="disk_low"}': "1x400"},
        {"code": "disk_low"},
    ),
    "VomeetDiskFills": ({'vomeet_disk_free_bytes{instance="a"}': "1000000-1000x400"}, {}),
    "VomeetErrors": (
        {
            'vomeet_http_requests_total{instance="a",path="/user",status="200"}': "0+90x400",
            'vomeet_http_requests_total{instance="a",path="/user",status="503"}': "0+10x400",
        },
        {},
    ),
    "VomeetSlowReads": (
        {
            'vomeet_http_class_seconds_bucket{instance="a",class="user_read",le="0.2"}': "0+1x400",
            'vomeet_http_class_seconds_bucket{instance="a",class="user_read",le="3"}': "0+10x400",
            'vomeet_http_class_seconds_bucket{instance="a",class="user_read",le="+Inf"}': "0+10x400",
        },
        {},
    ),
    "VomeetSlowCommits": (
        {
            'vomeet_store_commit_seconds_bucket{instance="a",le="0.2"}': "0+1x400",
            'vomeet_store_commit_seconds_bucket{instance="a",le="3"}': "0+10x400",
            'vomeet_store_commit_seconds_bucket{instance="a",le="+Inf"}': "0+10x400",
        },
        {},
    ),
    "VomeetWritesWait": ({'vomeet_store_queue_writes{instance="a"}': "2000x400"}, {}),
    "VomeetReadsRefused": (
        {'vomeet_store_reads_refused_total{instance="a",kind="long"}': "0+1x400"},
        {},
    ),
    "VomeetKeysEnding": ({'vomeet_keys_ending{instance="a",kind="token"}': "2x400"}, {}),
    "VomeetKeysGuessed": (
        {'vomeet_keys_refused_total{instance="a",code="unknown"}': "0+120x400"},
        {},
    ),
    "VomeetBackupLate": (
        {'vomeet_health_finding{instance="a",code="backup_late"}': "1x400"},
        {"code": "backup_late"},
    ),
    "VomeetWebhooksWait": ({'vomeet_webhooks_oldest_seconds{instance="a"}': "4000x400"}, {}),
    "VomeetMeetingsFail": (
        {'vomeet_meetings_ended_total{instance="a",status="failed",reason="joining"}': "0+1x400"},
        {},
    ),
    "VomeetConnectionsEvicted": (
        {'vomeet_connections_evicted_total{instance="a"}': "0+120x400"},
        {},
    ),
    "VomeetLiveFeedSlow": ({'vomeet_live_messages_dropped_total{instance="a"}': "0+5x400"}, {}),
    "VomeetFilesRunOut": (
        {
            'process_open_fds{job="vomeet",instance="a"}': "95x400",
            'process_max_fds{job="vomeet",instance="a"}': "100x400",
        },
        {"job": "vomeet"},
    ),
}


def test_every_alert_fires_when_it_should(tmp_path, monitored):
    prometheus, _ = monitored
    assert {name for name, _ in prometheus.rules()} == set(FIRING)
    tests = []
    for name, (series, labels) in FIRING.items():
        severity = re.search(rf"alert: {name}\n.*?severity: (\w+)", ALERTS.read_text(), re.DOTALL)[
            1
        ]
        labels = {
            "alertname": name,
            "alertstate": "firing",
            "instance": "a",
            "severity": severity,
            **labels,
        }
        written = ",".join(f'{label}="{value}"' for label, value in labels.items())
        tests.append(
            {
                "interval": "1m",
                "input_series": [
                    {"series": one, "values": values} for one, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": "6h",
                        "exp_samples": [{"labels": f"ALERTS{{{written}}}", "value": 1}],
                    }
                ],
            }
        )
    file = tmp_path / "alerts.json"
    file.write_text(
        json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests})
    )
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


# They are there where backups are uploaded: test_s3.py.
OF_UPLOADS = {
    "vomeet_backup_upload_failures_total",
    "vomeet_backup_upload_last_success_timestamp_seconds",
}


def test_the_metrics_that_the_page_names_are_there_and_no_others(monitored):
    _, metrics = monitored
    text = fetch(f"http://{metrics}/metrics")
    served = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    named = set(re.findall(r"`((?:vomeet|process)_[a-z_]+)`", PAGE.read_text()))
    assert named - OF_UPLOADS == served


def test_the_findings_that_the_page_names_are_those_of_the_program(monitored):
    _, metrics = monitored
    codes = set(
        re.findall(r'vomeet_health_finding{code="(\w+)"}', fetch(f"http://{metrics}/metrics"))
    )
    rows = re.findall(
        r"^\| `(\w+)` \| (?:dead|not ready|warning|note) \| (?!`--deep`)",
        PAGE.read_text(),
        re.MULTILINE,
    )
    assert set(rows) == codes
    of_doctor = re.findall(r'"([a-z_]+)", Severity', (REPOSITORY / "src/cli/doctor.rs").read_text())
    of_doctor += re.findall(r'=> "([a-z_]+)",', (REPOSITORY / "src/cli/doctor.rs").read_text())
    for code in of_doctor:
        assert f"`{code}`" in PAGE.read_text(), code


def test_the_examples_of_the_page_work(tmp_path):
    with running(tmp_path) as base_url:
        reader = Reader(base_url, tmp_path)
        for block in blocks_of(PAGE):
            reader.follow(block)


def test_the_scrape_configuration_of_the_page_is_sound(tmp_path):
    [block] = [block for block in blocks_of(PAGE) if block.language == "yaml"]
    token = tmp_path / "token"
    token.write_text("secret\n")
    file = tmp_path / "prometheus.yml"
    file.write_text(block.code.replace("/etc/prometheus/vomeet-token", str(token)))
    done = promtool("check", "config", file)
    assert done.returncode == 0, done.stdout + done.stderr
