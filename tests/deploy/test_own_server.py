"""A server with systemd and nginx, set up by what docs/deploy.md says.

It is a container whose network is its own, so that it has the usual ports and nobody else
sees them; systemd, nginx, Redis and the shipped files are the real ones.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.conftest import run_cookiecutter
from tests.docs.recipes import type_in
from tests.pages import block
from tests.podman import SERVER_FILE, Podman, container_name
from tests.raw import SLOW
from tests.waiting import wait_until

# A clone from GitHub comes from a folder, Redis' unit does without what some kernels lack.
BUILD = """\
FROM localhost/server
COPY project /src/visit-counter
RUN git config --system url./src/.insteadOf https://github.com/YOU/ \\
    && mkdir /etc/systemd/system/redis-server.service.d \\
    && printf '[Service]\\nPrivateUsers=no\\n' \\
        > /etc/systemd/system/redis-server.service.d/kernel.conf
RUN {commands}
CMD ["/lib/systemd/systemd"]
"""
# What certbot does, but on another port than the usual one.
TLS = r"""
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=example.com \
    -keyout /etc/ssl/key.pem -out /etc/ssl/cert.pem 2>/dev/null
sed -i '/server_name/a listen 8443 ssl;\nssl_certificate /etc/ssl/cert.pem;\nssl_certificate_key /etc/ssl/key.pem;' \
    /etc/nginx/conf.d/app.conf
systemctl restart nginx
"""
# Somebody else has changed the app.
PUSH = """
cd /src/visit-counter
sed -i '1i a new version' app/templates/error.html
git -c user.name=Ada -c user.email=ada@example.com commit --quiet --all --message New
"""
# Four visitors count as long as standard input is open; what each saw is printed.
VISIT = """
import http.client, json, ssl, sys, threading

context = ssl.create_default_context(cafile="/etc/ssl/cert.pem")
context.check_hostname = False
done = threading.Event()
seen = [[] for _ in range(4)]

def visit(seen):
    cookie = ""
    while len(seen) < 50 or not done.is_set():
        connection = http.client.HTTPSConnection("127.0.0.1", 8443, context=context)
        connection.request("GET", "/", headers={"Cookie": cookie, "Host": "example.com"})
        answer = connection.getresponse()
        body = answer.read()
        cookie = answer.headers.get("Set-Cookie", cookie).partition(";")[0]
        seen.append(json.loads(body)["views"] if answer.status == 200 else answer.status)
        connection.close()

threads = [threading.Thread(target=visit, args=[one]) for one in seen]
for thread in threads:
    thread.start()
print("started", flush=True)
sys.stdin.read()
done.set()
for thread in threads:
    thread.join()
print(json.dumps(seen))
"""

# Clients that send slowly, as long as standard input is open.
DRIP = """
import socket, sys, threading

connections = [socket.create_connection(("127.0.0.1", 80)) for _ in range(20)]
for connection in connections:
    connection.sendall({beginning!r})
over = threading.Event()

def drip():
    while not over.wait(0.1):
        for connection in connections:
            connection.sendall(b"x")

thread = threading.Thread(target=drip)
thread.start()
print("started", flush=True)
sys.stdin.read()
over.set()
thread.join()
"""


class Machine:
    """A machine with systemd, on which commands are typed."""

    def __init__(self, podman: Podman) -> None:
        self.podman = podman
        self.name = container_name()
        # systemd, and what it forbids to services, need one right more.
        rights = ["--systemd=always", "--cap-add=SYS_ADMIN", "--network=none"]
        podman("run", "--detach", f"--name={self.name}", *rights, "own-server")
        wait_until(self.is_up)

    def is_up(self) -> bool:
        """Tell whether all services have been started."""
        state = self.attempt("systemctl is-system-running")[1].strip()
        return state in ("running", "degraded")

    def attempt(self, commands: str) -> tuple[int, str]:
        """Type commands until one fails; return its status and what they print."""
        return self.podman.attempt("exec", self.name, "sh", "-ec", commands)

    def type_in(self, commands: str) -> str:
        """Type commands, none of which fails; return what they print."""
        return self.podman("exec", self.name, "sh", "-ec", commands)

    def main_pid(self) -> str:
        """Return the process id of gunicorn's main process."""
        return self.type_in("systemctl show --property MainPID app")

    def log(self) -> str:
        """Return all that the app has logged."""
        return self.type_in("journalctl --no-pager --output cat --unit app")

    def remove(self) -> None:
        """Switch the machine off, and throw it away."""
        self.podman("rm", "--force", "--time=0", self.name)


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baked project, with its first commit."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    folder = tmp_path_factory.mktemp("projects")
    return run_cookiecutter(template, folder, home, answers={}).project


@pytest.fixture(scope="module")
def machine(
    podman: Podman, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine on which everything has been typed that docs/deploy.md says."""
    install, clone, make = block(project, "sudo apt install").splitlines()
    assert set(install.split()[4:]) <= set(SERVER_FILE.split())  # is there already
    context = tmp_path_factory.mktemp("machine")
    shutil.copytree(project, context / "project")
    (context / "Dockerfile").write_text(BUILD.format(commands=f"{clone} && {make}"))
    podman("build", "--tag=own-server", context)
    machine = Machine(podman)
    machine.type_in(block(project, "redis-cli config"))
    machine.type_in(block(project, "cd /srv/app\nsudo sh"))
    machine.type_in(TLS)
    yield machine
    machine.remove()


def get_by_https(machine: Machine, options: str, path: str = "/") -> str:
    """Return what curl prints when it is called with these options."""
    return machine.type_in(
        "curl --silent --cacert /etc/ssl/cert.pem --resolve example.com:8443:127.0.0.1"
        f" {options} https://example.com:8443{path}"
    )


def status_by_https(machine: Machine, options: str, path: str = "/") -> str:
    """Return the status of the answer to a client with these options of curl's."""
    status = "--output /dev/null --write-out '%{http_code}'"
    return get_by_https(machine, f"{status} {options}", path)


def test_a_redis_that_is_killed_does_not_bring_back_an_ended_session(
    machine: Machine,
) -> None:
    jar = "--cookie-jar /tmp/jar --cookie /tmp/jar"
    assert status_by_https(machine, jar) == "200"
    machine.type_in("cp /tmp/jar /tmp/thief && redis-cli save")
    assert status_by_https(machine, f"{jar} --request POST", "/reset") == "303"
    keys = "redis-cli keys 'session:*' | sort"
    before, pid = machine.type_in(keys), machine.type_in("pidof redis-server")
    machine.type_in(f"kill -9 {pid}")  # systemd starts it again
    wait_until(lambda: "PONG" in machine.attempt("redis-cli ping")[1])
    assert machine.type_in("pidof redis-server") != pid
    assert machine.type_in(keys) == before
    limits = machine.type_in("redis-cli config get 'maxmemory*'").split()
    assert {"104857600", "volatile-lru"} <= set(limits)
    assert status_by_https(machine, "") == "200"


def test_systemd_finds_no_fault_with_the_units(machine: Machine) -> None:
    units = "/etc/systemd/system/app.service /etc/systemd/system/app.socket"
    assert machine.type_in(f"systemd-analyze verify {units}") == ""
    # Its scale goes from 0, nothing exposed, to 10; it calls up to 2 "OK".
    machine.type_in("systemd-analyze security --threshold=15 app.service")


def test_the_app_runs_without_rights(machine: Machine) -> None:
    pid = machine.main_pid().partition("=")[2].strip()
    status = machine.type_in(f"cat /proc/{pid}/status")
    assert re.search(r"^Uid:(\s+[1-9]\d+){4}$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert "600" in machine.type_in("stat --format %a /etc/app.env")


def test_only_the_machine_itself_reaches_gunicorn(machine: Machine) -> None:
    listening = machine.type_in("ss --no-header --listening --tcp --numeric")
    addresses = {line.split()[3] for line in listening.splitlines()}
    assert {address for address in addresses if ":8000" in address} == {
        "127.0.0.1:8000"
    }
    assert machine.log().count("Listening at: ") == 1


def test_a_visitor_by_http_is_sent_to_https(machine: Machine) -> None:
    answer = machine.type_in(
        "curl --silent --head --header 'Host: example.com' localhost"
    )
    assert "308 " in answer
    assert "Location: https://example.com/" in answer


def test_a_forged_address_is_not_believed(machine: Machine) -> None:
    status_by_https(machine, "--header 'X-Forwarded-For: 203.0.113.7'", "/forged")
    wait_until(lambda: "path=/forged" in machine.log())
    [line] = [line for line in machine.log().splitlines() if "path=/forged" in line]
    assert "client=127.0.0.1" in line


def test_a_form_is_accepted_on_an_unusual_port(machine: Machine) -> None:
    """By its Origin alone, which older browsers send: the port belongs to it."""
    origin = "--request POST --header 'Origin: https://example.com{port}'"
    assert status_by_https(machine, origin.format(port=":8443"), "/reset") == "303"
    assert status_by_https(machine, origin.format(port=""), "/reset") == "403"


@pytest.mark.parametrize("what", SLOW)
def test_slow_clients_stop_nobody(machine: Machine, what: str) -> None:
    drip = DRIP.format(beginning=SLOW[what])
    command = ["exec", "--interactive", machine.name, "python3", "-c", drip]
    slow = machine.podman.command(*command)
    with Popen(slow, stdin=PIPE, stdout=PIPE, text=True) as dripping:
        assert dripping.stdout
        assert dripping.stdout.readline() == "started\n"
        for _ in range(10):
            assert status_by_https(machine, "--max-time 30") == "200"
        dripping.communicate()
    assert dripping.returncode == 0  # all of them were slow until the end


def test_a_new_version_loses_no_request(machine: Machine, project: Path) -> None:
    """Each of four visitors counts at least to 50, while the docs' commands are typed."""
    release = block(project, "cd /srv/app\nsudo git pull")
    machine.type_in(PUSH)
    visit = machine.podman.command(
        "exec", "--interactive", machine.name, "python3", "-c", VISIT
    )
    with Popen(visit, stdin=PIPE, stdout=PIPE, text=True) as visiting:
        assert visiting.stdout
        assert visiting.stdout.readline() == "started\n"
        machine.type_in(release)
        output, _ = visiting.communicate()
    assert "a new version" in machine.type_in(
        "curl --silent --header 'Accept: text/html' localhost:8000/404"
    )
    for counts in json.loads(output):
        assert len(counts) >= 50
        assert counts == list(range(1, len(counts) + 1))


def test_wrong_settings_never_go_live(machine: Machine, project: Path) -> None:
    release = block(project, "cd /srv/app\nsudo git pull")
    before = machine.main_pid()
    machine.type_in(
        "cp /etc/app.env /etc/app.env.good && echo SECRET=short >> /etc/app.env"
    )
    status, output = machine.attempt(release)
    machine.type_in("mv /etc/app.env.good /etc/app.env")
    assert status == 1
    assert "SECRET is too short (5 c" in " ".join(output.split())
    assert machine.main_pid() == before
    assert status_by_https(machine, "") == "200"


def test_sessions_in_a_file_outlive_the_deploy_of_a_new_version(
    machine: Machine, project: Path
) -> None:
    """As in docs/storage.md, where the unit lets the app write."""
    type_in(project, "storage: In an SQLite file")
    for name in "app/__init__.py", "app/settings.py", "app/sqlite_storage.py":
        machine.type_in(
            f"cat > /srv/app/{name} <<'END'\n{(project / name).read_text()}END"
        )
    [setting] = re.findall(
        "`(SESSIONS_FILE=.+?)`", (project / "docs/storage.md").read_text()
    )
    machine.type_in(f"echo {setting} >> /etc/app.env")
    release = block(project, "cd /srv/app\nsudo git pull")
    for count in 1, 2:
        before = machine.main_pid()
        machine.type_in(release)
        assert machine.main_pid() != before
        seen = get_by_https(machine, "--cookie-jar /tmp/visitor --cookie /tmp/visitor")
        assert json.loads(seen) == {"views": count}
