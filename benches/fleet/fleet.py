"""Measures a fleet of calibd processes at one broker; see `run` beside this file."""

import argparse
import base64
import json
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

import rig
from measure import MIB, Table

UP = f"calibd/1/{rig.FLEET}/up"
ALL = f"calibd/1/{rig.FLEET}/down/all/transform/co"
PUSHES = 5
# How long the broker is away.
OUTAGES = (0, 30)
ARTIFACTS = 10_000
# Artifacts that wait for their answer at the same time.
WINDOW = 1000

SENSOR = """
[source.broker]
kind = "mqtt"
topic = "sensors/{name}/raw"
qos = 0
format = {{ kind = "json" }}
fields = {{ value = {{ pointer = "/v" }} }}
[sensor.s-1]
source = "broker"
field = "value"
unit = "nA"
[sink.uplink]
kind = "mqtt"
topic = "calibd/1/{{fleet}}/up/{{gateway}}/reading/{{sensor}}"
"""


class Signer:
    """Signs transforms in this process, by the fleet's key."""

    def __init__(self, authority):
        self.key = load_pem_private_key((authority.directory / "fleet.key.pem").read_bytes(), None)

    def signed(self, transform):
        payload, kind = json.dumps(transform).encode(), "application/vnd.calibd.transform+json"
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        text = {"payload": base64.b64encode(payload).decode(), "payloadType": kind}
        text["signatures"] = [{"sig": base64.b64encode(self.key.sign(message)).decode()}]
        return json.dumps(text).encode()


class Listener:
    """Everything that gateways say of themselves, with the moment at which it came."""

    def __init__(self, broker):
        self.lock = threading.Lock()
        self.acks, self.online = [], []
        self.client = rig.Client(broker, "bench-fleet", self.heard, [f"{UP}/+/ack", f"{UP}/+/status"], lasting=True)

    def heard(self, _client, _data, message):
        now, gateway = time.monotonic(), message.topic.split("/")[4]
        with self.lock:
            if message.topic.endswith("/ack"):
                ack = rig.opened(message.payload)
                self.acks.append((now, gateway, ack["version"], ack["verdict"]))
            elif json.loads(message.payload)["online"]:
                self.online.append((now, gateway))

    def answered(self, version, verdict, since):
        """When each gateway gave this verdict first."""
        with self.lock:
            told = [ack for ack in self.acks if ack[0] >= since and ack[2:] == (version, verdict)]
        return {gateway: when for when, gateway, *_ in reversed(told)}

    def there(self, since):
        """When each gateway said first that it is there."""
        with self.lock:
            return {gateway: when for when, gateway in reversed(self.online) if when >= since}


class Fleet:
    def __init__(self, tools, directory, table, count):
        self.table, self.count = table, count
        self.broker = rig.Broker(directory / "broker")
        self.authority = rig.Authority(tools, directory / "authority")
        self.signer = Signer(self.authority)
        self.listener = Listener(self.broker)
        self.names = [f"gw-{number:04}" for number in range(count)]
        self.version = 0
        environment = {k: v for k, v in os.environ.items() if k not in ("CALIBD_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET")}
        begun = time.monotonic()
        self.processes = [self.started(tools, directory / name, name, environment) for name in self.names]
        self.wait("every gateway to be there", lambda: self.listener.there(begun))
        table.row(f"{count} gateways, from the first start until all are there", time.monotonic() - begun, None, "s")

    def started(self, tools, directory, name, environment):
        directory.mkdir()
        config = directory / "calibd.toml"
        config.write_text(
            f'[gateway]\nid = "{name}"\nfleet = "{rig.FLEET}"\nrtc_good = true\n[store]\ndir = "{directory / "store"}"\n'
            f'[control]\ndir = "{directory / "run"}"\n[trust]\nroot = "{self.authority.root}"\n'
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{self.broker.port}"\n' + SENSOR.format(name=name)
        )
        return rig.Process([tools.calibd, "--config", config], directory / "log", env=environment)

    def wait(self, what, told):
        def complete():
            for process in self.processes:
                process.check()
            return len(told()) == self.count and told()

        return rig.until(what, complete, 300)

    def push(self):
        """Pushes one transform to all; answers after how many seconds each has acknowledged it."""
        self.version += 1
        transform = rig.transform("co", ["s-1"]) | {"version": self.version}
        transform["target"]["gateways"] = self.names
        envelope, begun = self.signer.signed(transform), time.monotonic()
        self.listener.client.publish(ALL, envelope, retain=True)
        told = self.wait("every acknowledgement", lambda: self.listener.answered(self.version, "accepted", begun))
        return sorted(when - begun for when in told.values())

    def pushes(self):
        took = [self.push() for _ in range(PUSHES)]
        last = [each[-1] for each in took]
        detail = f"(worst of {PUSHES}; median {statistics.median(last):.2f}; half of the gateways in {took[-1][self.count // 2]:.2f})"
        self.table.row(f"push to {self.count} gateways until all have acknowledged", max(last), 10, "s", detail)
        self.memory()

    def memory(self):
        shares = [self.proportional(process.pid) for process in self.processes]
        self.table.row("resident, the broker", self.broker.process.resident() / MIB, None, "MiB")
        each = f"({sum(shares) / self.count / MIB:.2f} each)"
        self.table.row("resident, all gateways, shared pages counted once", sum(shares) / MIB, None, "MiB", each)

    @staticmethod
    def proportional(pid):
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            line = next(line for line in rollup if line.startswith("Pss:"))
        return int(line.split()[1]) * 1024

    def storm(self, outage):
        """Stops the broker and starts it again; answers how long all take to be back, and to have said it all again."""
        self.broker.stop()
        time.sleep(outage)
        self.broker.start()
        begun = time.monotonic()
        back = self.wait("every gateway to be back", lambda: self.listener.there(begun))
        told = self.wait(
            "every answer", lambda: self.listener.answered(self.version, "already_applied", begun)
        )
        busiest = max(Counter(int(when - begun) for when in back.values()).values())
        took = max(*back.values(), *told.values()) - begun
        detail = f"(half are back in {statistics.median(back.values()) - begun:.1f} s, {busiest} in the busiest second)"
        self.table.row(f"broker away for {outage} s, from its return until all is said again", took, 60, "s", detail)

    def storms(self):
        if not self.version:
            self.push()
        for outage in OUTAGES:
            self.storm(outage)
        after = self.push()[-1]
        self.table.row("the next push", after, 10, "s")
        self.memory()

    def stop(self):
        self.listener.client.close()
        for process in self.processes:
            process.child.terminate()
        for process in self.processes:
            process.stop()


def artifacts(tools, directory, table):
    """One gateway that judges and puts in force so many artifacts, one after the other."""
    broker = rig.Broker(directory / "broker")
    authority = rig.Authority(tools, directory / "authority")
    gateway = rig.Gateway(tools, directory / "gateway", broker, authority, SENSOR.format(name="one"))
    signer, transform = Signer(authority), rig.transform("co", ["s-1"])
    envelopes = [signer.signed(transform | {"version": version}) for version in range(1, ARTIFACTS + 1)]
    versions, room = [], threading.Semaphore(WINDOW)

    def on_message(_client, _data, message):
        ack = rig.opened(message.payload)
        versions.append(ack["version"] if ack["verdict"] == "accepted" else ack)
        room.release()

    client = rig.Client(broker, "bench-artifacts", on_message, [f"{rig.UP}/ack"])
    process = gateway.start()
    try:
        gateway.linked(process)
        begun, busy = time.monotonic(), process.busy()
        for envelope in envelopes:
            if not room.acquire(timeout=rig.PATIENCE):
                raise rig.Fault(f"only {len(versions)} answers; see {gateway.log}")
            client.publish(f"{rig.DOWN}/co", envelope)
        rig.until("every answer", lambda: process.check() or len(versions) == ARTIFACTS, 300)
        took, busy = time.monotonic() - begun, process.busy() - busy
        if versions != list(range(1, ARTIFACTS + 1)):
            raise rig.Fault("not all were accepted in order")
        detail = f"({ARTIFACTS / took:,.0f} a second; {1e6 * busy / ARTIFACTS:.0f} us of the processor each)"
        table.row(f"{ARTIFACTS:,} artifacts judged, in the ledger, in force and answered", took, 20, "s", detail)
    finally:
        client.close()
        process.stop()


def run(arguments):
    tools, table = rig.Tools(arguments.release.resolve()), Table()
    only = arguments.only.split(",")
    with tempfile.TemporaryDirectory(prefix="fleet-", dir=arguments.directory) as directory:
        directory = Path(directory)
        if "artifacts" in only:
            (directory / "artifacts").mkdir()
            artifacts(tools, directory / "artifacts", table)
        if "push" in only or "storm" in only:
            fleet = Fleet(tools, directory, table, arguments.gateways)
            try:
                if "push" in only:
                    fleet.pushes()
                if "storm" in only:
                    fleet.storms()
            finally:
                fleet.stop()
    print(f"\nload of the machine over these minutes: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    return table.missed > 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benches/fleet/run")
    parser.add_argument("--release", type=Path, required=True)
    parser.add_argument("--gateways", type=int, default=500)
    parser.add_argument("--only", default="push,storm,artifacts")
    parser.add_argument("--directory", type=Path, help="where the stores are (default: the system's folder for temporary files)")
    rig.main(run, parser.parse_args())
