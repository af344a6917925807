"""A gateway with its broker and its keys, for scripts that measure the release binaries or hold them for long."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import paho.mqtt.client as mqtt

FLEET = "plant-7"
GATEWAY = "gw-1"
UP = f"calibd/1/{FLEET}/up/{GATEWAY}"
DOWN = f"calibd/1/{FLEET}/down/gw/{GATEWAY}/transform"
# How long anything may take that must come.
PATIENCE = 60.0


class Fault(Exception):
    """Something that must come did not, or a process ended that must run."""


def until(what, found, patience=PATIENCE):
    """Asks again until `found` answers with something, and answers with that."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.02)
    raise Fault(f"waited {patience:.0f} s in vain for {what}")


def free_port():
    """A TCP port that nobody uses, below those that the system gives to outgoing connections."""
    for port in range(20_000 + os.getpid() * 131 % 10_000, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in free_port.given:
                free_port.given.add(port)
                return port
    raise Fault("no free port")


free_port.given = set()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class Process:
    """A program that is stopped with this one; what it says is appended to a file."""

    def __init__(self, command, log, **options):
        self.log = log
        with open(log, "ab") as file:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **options)
        self.pid = self.child.pid

    def check(self):
        if self.child.poll() is not None:
            last = "".join(self.log.read_text(errors="replace").splitlines()[-1:])
            raise Fault(f"{self.child.args[0]} ended with {self.child.returncode}: {last}")

    def stop(self, patience=PATIENCE):
        """Asks it to end, and answers with its exit code; kills it when it does not."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode

    def resident(self):
        """Its resident memory in bytes."""
        with open(f"/proc/{self.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def busy(self):
        """The processor time that it and the programs that it ran have used, in seconds."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Broker:
    """A mosquitto that keeps sessions and retained messages when it is stopped."""

    def __init__(self, directory):
        self.port = free_port()
        self.directory = directory
        self.process = None
        directory.mkdir()
        (directory / "mosquitto.conf").write_text(
            f"user root\npersistence true\npersistence_location {directory}/\nmax_queued_messages 0\n"
            f"set_tcp_nodelay true\nlog_type error\nlog_type warning\nlistener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
        )
        self.start()

    def start(self):
        search = os.environ["PATH"] + ":/usr/sbin:/sbin"
        program = shutil.which("mosquitto", path=search) or "mosquitto"
        command = [program, "-c", str(self.directory / "mosquitto.conf")]
        self.process = Process(command, self.directory / "log")
        until("mosquitto to listen", lambda: self.process.check() or answers(self.port))

    def stop(self):
        self.process.stop()


class Tools:
    """calibd and calibctl of one build."""

    def __init__(self, directory):
        self.calibd = directory / "calibd"
        self.calibctl = directory / "calibctl"
        for program in (self.calibd, self.calibctl):
            if not program.is_file():
                raise Fault(f"{program} is missing; build it with `cargo build --locked --release`")

    def ctl(self, *arguments):
        result = subprocess.run([self.calibctl, *map(str, arguments)], capture_output=True, text=True)
        if result.returncode != 0:
            raise Fault(f"calibctl {arguments[0]}: {result.stderr.strip()}")
        return result.stdout


class Authority:
    """A fleet's keys and root."""

    def __init__(self, tools, directory):
        self.tools = tools
        self.directory = directory
        directory.mkdir()
        for name in ("root", "fleet"):
            tools.ctl("key", "generate", directory / name)
        self.root = directory / "root.json"
        tools.ctl(
            "root", "init", "--fleet", FLEET, "--key", directory / "root.key.pem",
            "--fleet-key", directory / "fleet.pub.pem", "-o", self.root,
        )

    def signed(self, transform):
        plain, envelope = self.directory / "plain.json", self.directory / "signed.json"
        plain.write_text(json.dumps(transform))
        key = self.directory / "fleet.key.pem"
        self.tools.ctl("sign", "--type", "transform", "--key", key, "-o", envelope, plain)
        return envelope.read_bytes()


def hours_from_now(hours):
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def transform(name, sensors, unit="nA"):
    """A line with its uncertainty for these sensors."""
    return {
        "schema": 1, "id": name, "epoch": 1, "version": 1, "replaces": [],
        "target": {"fleet": FLEET, "gateways": [GATEWAY], "sensors": sensors},
        "quantity": "mass concentration", "input_unit": unit, "output_unit": "mg/m3",
        "pipeline": [{"kind": "affine", "offset": 0.5, "gain": 2.0, "covariance": [[0.01, 0.0], [0.0, 0.0001]]}],
        "domain": {"input": [-1e9, 1e9]}, "uncertainty": {"residual_std": 0.3},
        "issued_at": hours_from_now(-2), "not_before": None, "expires": hours_from_now(24 * 30),
    }


class Client:
    """An MQTT client with a thread of its own."""

    def __init__(self, broker, name, on_message=None, topics=(), lasting=False):
        self.granted = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=not lasting, protocol=mqtt.MQTTv311
        )
        self.client.max_inflight_messages_set(1000)
        self.client.max_queued_messages_set(0)
        self.client.reconnect_delay_set(1, 2)
        self.client.on_message = on_message
        self.client.on_connect = lambda client, *_: topics and client.subscribe([(topic, 1) for topic in topics])
        self.client.on_subscribe = lambda *_: self.granted.set()
        # A message that waits for the acknowledgement of the one before would be measured.
        self.client.on_socket_open = lambda *of: of[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        if topics and not self.granted.wait(PATIENCE):
            raise Fault("the broker does not grant a subscription")

    def publish(self, topic, payload, qos=1, retain=False):
        return self.client.publish(topic, payload, qos, retain)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def opened(envelope):
    """What a signed message says; the signature is not looked at."""
    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))


class Gateway:
    """A calibd in a directory of its own."""

    def __init__(self, tools, directory, broker, authority, text):
        self.tools = tools
        self.directory = directory
        self.broker = broker
        self.http = free_port()
        self.config = directory / "calibd.toml"
        self.log = directory / "log"
        self.store = directory / "store"
        self.socket = directory / "run" / "control.sock"
        directory.mkdir()
        self.head = (
            f'[gateway]\nid = "{GATEWAY}"\nfleet = "{FLEET}"\nrtc_good = true\n\n[store]\ndir = "{self.store}"\n\n'
            f'[http]\nlisten = "127.0.0.1:{self.http}"\n\n[control]\ndir = "{directory / "run"}"\n\n'
            f'[trust]\nroot = "{authority.root}"\n\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n\n'
        )
        self.configure(text)

    def configure(self, text):
        """Writes the configuration, whole or not at all."""
        fresh = self.directory / "fresh.toml"
        fresh.write_text(self.head + text)
        fresh.replace(self.config)

    def start(self):
        environment = {k: v for k, v in os.environ.items() if k not in ("CALIBD_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET")}
        return Process([self.tools.calibd, "--config", self.config], self.log, env=environment)

    def metrics(self):
        """Every series of the metrics page; none while nobody serves it."""
        try:
            with socket.create_connection(("127.0.0.1", self.http), 5) as stream:
                stream.sendall(b"GET /metrics HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n\r\n")
                page = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
        except OSError:
            return {}
        lines = (line.rpartition(" ") for line in page.splitlines() if line.startswith("calibd_"))
        return {name: float(value) for name, _, value in lines}

    def linked(self, process):
        until("the link to the broker", lambda: process.check() or self.metrics().get("calibd_link_up") == 1)

    def install(self, envelopes):
        """Starts calibd, pushes transforms by name, waits until each is in force, and stops it."""
        accepted = {}

        def on_message(_client, _data, message):
            ack = opened(message.payload)
            accepted[ack["id"]] = ack

        client = Client(self.broker, "rig-install", on_message, [f"{UP}/ack"])
        process = self.start()
        try:
            self.linked(process)
            for name, envelope in envelopes.items():
                client.publish(f"{DOWN}/{name}", envelope)
            until("every transform to be judged", lambda: process.check() or len(accepted) == len(envelopes), 300)
        finally:
            client.close()
            process.stop()
        refused = [ack for ack in accepted.values() if ack["verdict"] != "accepted"]
        if refused:
            raise Fault(f"{len(refused)} transforms were refused, such as {refused[0]}")


def main(run, arguments):
    """Runs a script: a fault is said in a line. SIGTERM ends it as Ctrl-C does, with everything that it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(run(arguments))
    except Fault as fault:
        sys.exit(f"{Path(sys.argv[0]).parent.name}: {fault}")
