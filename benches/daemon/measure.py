"""Measures calibd and calibctl; see `run` beside this file."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

import rig

MIB = 1 << 20
SENSORS = 1000
RATE = 10
STARTS = 11
NAMES = [f"s-{n:04}" for n in range(SENSORS)]
READINGS = f"{rig.UP}/reading"

SINK = f"""
[sink.uplink]
kind = "mqtt"
topic = "{READINGS.replace(rig.FLEET, "{fleet}").replace(rig.GATEWAY, "{gateway}")}/{{sensor}}"
"""
# One sensor, by a topic of its own.
ONE = SINK + """
[source.broker]
kind = "mqtt"
topic = "sensors/one/raw"
qos = 0
format = { kind = "json" }
fields = { value = { pointer = "/v" } }

[sensor.s-0000]
source = "broker"
field = "value"
unit = "nA"
"""
# A thousand, each by a topic of its own: sensors of a template.
TOPICS = SINK + f"""
[source.broker]
kind = "mqtt"
topic = "sensors/+name/raw"
qos = 0
format = {{ kind = "json" }}
fields = {{ value = {{ pointer = "/v" }} }}

[sensors."{{name}}"]
source = "broker"
field = "value"
unit = "nA"
max = {SENSORS}
"""


def written_out():
    """A thousand in the configuration, each a field of one message."""
    fields = "\n".join(f'{name} = {{ pointer = "/{name}" }}' for name in NAMES)
    sensors = "\n".join(f'[sensor.{name}]\nsource = "broker"\nfield = "{name}"\nunit = "nA"\n' for name in NAMES)
    return SINK + f"""
[source.broker]
kind = "mqtt"
topic = "sensors/all/raw"
qos = 0
format = {{ kind = "json" }}
[source.broker.fields]
{fields}

{sensors}"""


HOURS = 168
WARMER = ["below = 5", "below = 15", "below = 25", "above = 25"]


def replayed(file):
    """Their readings come out of a file, at every start again."""
    return f'kind = "replay"\nfile = "{file}"\nspeed = "max"\n'


# Nothing comes any more.
SILENT = 'kind = "mqtt"\ntopic = "sensors/all/raw"\nqos = 0\nformat = { kind = "json" }\n'


def compared(source, at, time=""):
    """A thousand sensors beside one reference, with four cohorts each; `at` says where a field is."""
    cohorts = ", ".join(f"c{n} = {{ temperature = {{ {part} }} }}" for n, part in enumerate(WARMER))
    fields = "\n".join(f"{name} = {at(name)}" for name in ["reference", "temperature", *NAMES])
    sensors = "\n".join(
        f'[sensor.{name}]\nsource = "week"\nfield = "{name}"\nunit = "nA"\nperiod = "1h"\nmpe = {{ absolute = 1.0 }}\n'
        'covariates = { temperature = "temperature" }\nreference = { sensor = "reference", uncertainty = 0.1 }\n'
        f"drift = {{ cohorts = {{ {cohorts} }} }}\n"
        for name in NAMES
    )
    return SINK + f"""
[source.week]
{source}
[source.week.fields]
{fields}
{time}

[sensor.reference]
source = "week"
field = "reference"
unit = "mg/m3"

[sensor.temperature]
source = "week"
field = "temperature"
unit = "Cel"

{sensors}"""


def write_week(file):
    """A reference, a temperature and a thousand sensors, every hour of a week; the last hour has no reference."""
    random = Random(1)
    start = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=8)
    with open(file, "w") as lines:
        lines.write(",".join(["time", "reference", "temperature", *NAMES]) + "\n")
        for hour in range(HOURS):
            time_of = (start + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
            truth = random.uniform(5, 15)
            reference = "" if hour == HOURS - 1 else f"{truth:.3f}"
            raw = (f"{(truth - 0.5) / 2 + random.gauss(0, 0.1):.4f}" for _ in NAMES)
            lines.write(",".join([time_of, reference, f"{random.uniform(0, 30):.1f}", *raw]) + "\n")


def asked(gateway, path):
    """What the control interface answers, as bytes; nothing while nobody answers well."""
    try:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(gateway.socket))
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: stream.recv(1 << 20), b"")).partition(b"\r\n\r\n")
    except OSError:
        return None
    return body if head.startswith(b"HTTP/1.1 200") else None


def pairs(body):
    """How many pairs each sensor of a drift report has in its window."""
    return [sensor["all"]["calibrated"]["n"] for sensor in json.loads(body)["sensors"]]


class Table:
    """What was measured, and whether it is what is promised."""

    def __init__(self):
        self.missed = 0
        print("| what | measured | promised |\n| --- | --- | --- |", flush=True)

    def row(self, what, value, limit=None, unit="", detail=""):
        kept = limit is None or value < limit
        self.missed += not kept
        promised = "" if limit is None else f"under {limit:,} {unit}" + ("" if kept else ": MISSED")
        number = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
        print(f"| {what} | {number} {unit}{detail and ' ' + detail} | {promised} |", flush=True)


class Bench:
    def __init__(self, tools, directory, table, minutes):
        self.tools = tools
        self.directory = directory
        self.table = table
        self.minutes = minutes
        self.broker = rig.Broker(directory / "broker")
        self.authority = rig.Authority(tools, directory / "authority")
        self.made = {}

    def gateway(self, name, sensors):
        """A gateway with a transform of its own for each of these sensors."""
        if name not in self.made:
            gateway = rig.Gateway(self.tools, self.directory / name, self.broker, self.authority, ONE)
            if len(sensors) > 1:
                gateway.configure(TOPICS)
            gateway.install({f"t-{s}": self.authority.signed(rig.transform(f"t-{s}", [s])) for s in sensors})
            self.made[name] = gateway
        return self.made[name]

    def one(self):
        return self.gateway("one", NAMES[:1])

    def many(self):
        return self.gateway("many", NAMES)

    def size(self):
        self.table.row("calibd, stripped", self.tools.calibd.stat().st_size, 6_000_000, "bytes")
        self.table.row("calibctl, stripped", self.tools.calibctl.stat().st_size, None, "bytes")

    def idle(self):
        """One source, one sensor, one transform, connected, and nothing comes."""
        gateway = self.one()
        process = gateway.start()
        try:
            gateway.linked(process)
            time.sleep(30)
            self.table.row("resident, idle for 30 s", process.resident() / MIB, 12, "MiB")
            before, since = process.busy(), time.monotonic()
            time.sleep(60)
            share = 100 * (process.busy() - before) / (time.monotonic() - since)
            process.check()
            self.table.row("processor, idle for 60 s", share, 0.5, "% of a core")
        finally:
            process.stop()

    def start(self):
        """From before the process is made to the first reading with a value at a subscriber, through the broker.

        The value that it is made from is published every millisecond meanwhile.
        """
        one = json.dumps({"v": 1.5})
        self.starts("one transform", self.one(), ONE, "sensors/one/raw", one, 20)
        self.starts("1,000 transforms, sensors of a template", self.many(), TOPICS, f"sensors/{NAMES[0]}/raw", one, 150)
        field = json.dumps({NAMES[0]: 1.5})
        self.starts("1,000 transforms, sensors written out", self.many(), written_out(), "sensors/all/raw", field, 150)

    def starts(self, what, gateway, text, topic, payload, limit):
        gateway.configure(text)
        took = sorted(self.started(gateway, topic, payload) for _ in range(STARTS))
        median = statistics.median(took)
        detail = f"(median of {STARTS}; {took[0]:.1f} to {took[-1]:.1f})"
        self.table.row(f"start to first calibrated reading, {what}", median, limit, "ms", detail)

    def started(self, gateway, topic, payload):
        arrived = threading.Event()
        at = []

        def on_message(_client, _data, message):
            if json.loads(message.payload)["value"] is not None:
                at.append(time.monotonic())
                arrived.set()

        client = rig.Client(self.broker, "bench", on_message, [f"{READINGS}/#"])
        begun = time.monotonic()
        process = gateway.start()
        try:
            end = begun + rig.PATIENCE
            while not arrived.wait(0.001):
                client.publish(topic, payload, qos=0)
                process.check()
                if time.monotonic() > end:
                    raise rig.Fault(f"no calibrated reading; see {gateway.log}")
        finally:
            process.stop()
            client.close()
        return 1000 * (at[0] - begun)

    def drift(self):
        """From before the process is made until it tells the drift of a thousand sensors, from stored pairs."""
        gateway = self.gateway("compared", NAMES)
        file = gateway.directory / "week.csv"
        write_week(file)
        time_of = 'time = { column = "time", format = "%Y-%m-%dT%H:%M:%SZ" }'
        gateway.configure(compared(replayed(file), lambda name: f'{{ column = "{name}" }}', time_of))
        whole = [HOURS - 1] * SENSORS

        def paired():
            process.check()
            body = asked(gateway, "/v1/drift")
            return body and pairs(body) == whole

        process = gateway.start()
        try:
            rig.until("every pair of the week", paired, 600)
        finally:
            process.stop()
        gateway.configure(compared(SILENT, lambda name: f'{{ pointer = "/{name}" }}'))
        took, again, size = zip(*(self.told(gateway, whole) for _ in range(STARTS)))
        detail = f"(median of {STARTS}; {min(took):.0f} to {max(took):.0f})"
        what = "start until the drift of 1,000 sensors with 4 cohorts is told, a week of hourly pairs"
        self.table.row(what, statistics.median(took), 1000, "ms", detail)
        detail = f"({size[0] / 1e6:.1f} MB; median of {STARTS})"
        self.table.row("the same answer once more", statistics.median(again), None, "ms", detail)

    def told(self, gateway, whole):
        """Milliseconds to the first drift report, and of another one; its bytes."""
        begun = time.monotonic()
        process = gateway.start()
        try:
            end = begun + rig.PATIENCE
            while not (body := asked(gateway, "/v1/drift")):
                process.check()
                if time.monotonic() > end:
                    raise rig.Fault(f"no drift; see {gateway.log}")
                time.sleep(0.001)
            first = time.monotonic()
            asked(gateway, "/v1/drift")
            second = time.monotonic()
            if pairs(body) != whole:
                raise rig.Fault(f"the first drift report lacks pairs: {sorted(pairs(body))[:3]} of {whole[0]}")
        finally:
            process.stop()
        return 1000 * (first - begun), 1000 * (second - first), len(body)

    def status(self):
        """`calibctl status` of a gateway with a thousand sensors, as a process."""
        gateway = self.many()
        gateway.configure(written_out())
        process = gateway.start()
        try:
            gateway.linked(process)
            took = []
            for _ in range(50):
                begun = time.monotonic()
                self.tools.ctl("status", "--socket", gateway.socket)
                took.append(1000 * (time.monotonic() - begun))
            detail = f"(median of 50; {min(took):.1f} to {max(took):.1f})"
            self.table.row("calibctl status, 1,000 sensors", statistics.median(took), 30, "ms", detail)
        finally:
            process.stop()

    def load(self):
        """A thousand sensors by MQTT, each with its transform, all to a live sink at QoS 1."""
        gateway = self.many()
        gateway.configure(TOPICS)
        process = gateway.start()
        try:
            gateway.linked(process)
            resident, sent, share = self.loaded(process)
            peak = max(resident) / MIB
            quarter = max(len(resident) // 4, 1)
            first = statistics.median(resident[quarter : 2 * quarter])
            growth = (statistics.median(resident[-quarter:]) - first) / MIB
            detail = f"(largest; {self.minutes:g} min at {sent / (60 * self.minutes):,.0f} messages/s)"
            self.table.row("resident, 1,000 sensors at 10 readings/s", peak, 40, "MiB", detail)
            self.table.row("its growth from the second quarter to the last", growth, 1.0, "MiB")
            self.table.row("processor under that load", share, None, "% of a core")
            self.all_arrived(gateway, process, sent)
        finally:
            process.stop()

    def loaded(self, process):
        """Sends for so many minutes; answers resident memory by the second, messages sent, share of a core."""
        line = Line(self.broker.port)
        resident, sent, begun = [], 0, time.monotonic()
        before, ticks = process.busy(), SENSORS * RATE // Line.BURST
        while (now := time.monotonic() - begun) < 60 * self.minutes:
            if now * ticks >= sent // Line.BURST:
                line.burst(sent)
                sent += Line.BURST
            else:
                time.sleep(0.001)
            if now >= len(resident):
                process.check()
                resident.append(process.resident())
        share = 100 * (process.busy() - before) / (time.monotonic() - begun)
        line.close()
        return resident, sent, share

    def all_arrived(self, gateway, process, sent):
        """Every message is stored and acknowledged, or was dropped and counted: they come at QoS 0."""
        counts = {}

        def committed():
            process.check()
            read = gateway.metrics()
            counts["stored"] = read.get('calibd_readings_total{source="broker"}', 0)
            dropped = (value for name, value in read.items() if name.startswith("calibd_samples_dropped_total"))
            counts["dropped"] = sum(dropped)
            counts["waiting"] = read.get('calibd_sink_backlog_readings{sink="uplink"}')
            return counts["stored"] + counts["dropped"] >= sent and counts["waiting"] == 0

        try:
            rig.until("all readings to be stored and acknowledged", committed)
        except rig.Fault as fault:
            self.table.missed += 1
            print(f"{fault}: {counts} of {sent}")
        self.table.row("messages dropped and counted under that load", int(counts["dropped"]), None, f"of {sent:,}")


class Line:
    """A publisher that costs little: bytes made beforehand, on a plain connection (MQTT 3.1.1, QoS 0)."""

    BURST = 100

    def __init__(self, port):
        self.stream = rig.socket.create_connection(("127.0.0.1", port))
        self.stream.sendall(packet(0x10, text("MQTT") + bytes([4, 2, 0, 0]) + text("bench-line")))
        self.stream.setsockopt(rig.socket.IPPROTO_TCP, rig.socket.TCP_NODELAY, 1)
        if self.stream.recv(4)[3:] != b"\0":
            raise rig.Fault("the broker refuses the load generator")
        # Each sensor sees ten values in turn.
        self.bursts = [self.prepared(at, value) for value in range(10) for at in range(0, SENSORS, Line.BURST)]

    def prepared(self, first, value):
        payload = json.dumps({"v": 20 + value / 8}).encode()
        topics = (text(f"sensors/{name}/raw") for name in NAMES[first : first + Line.BURST])
        return b"".join(packet(0x30, topic + payload) for topic in topics)

    def burst(self, sent):
        self.stream.sendall(self.bursts[sent // Line.BURST % len(self.bursts)])

    def close(self):
        self.stream.close()


def text(value):
    return len(value).to_bytes(2, "big") + value.encode()


def packet(head, body):
    # All are shorter than what a length of one byte can say.
    return bytes([head, len(body)]) + body


def run(arguments):
    tools = rig.Tools(arguments.release)
    table = Table()
    with tempfile.TemporaryDirectory(prefix="calibd-bench-") as directory:
        bench = Bench(tools, Path(directory), table, arguments.minutes)
        try:
            for part in arguments.only.split(","):
                getattr(bench, part)()
        finally:
            bench.broker.stop()
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {version(tools)}")
    return 1 if table.missed else 0


def version(tools):
    return subprocess.run([tools.calibd, "--version"], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benches/daemon/run")
    parser.add_argument("--release", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--only", default="size,idle,start,drift,status,load")
    rig.main(run, parser.parse_args())
