"""calibd under everything that happens to a gateway; see `run` beside this file."""

import argparse
import array
import collections
import fcntl
import json
import os
import pty
import random
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path

import rig

MIB = 1 << 20
# Numbers a second.
LINES = 20
MESSAGES = 40
SENSORS = [f"m-{n}" for n in range(10)]
SINKS = ["live", "durable"]
# After so long the caches are full, and memory may not grow any more.
WARM = 120
# How much memory may grow from the first quarter to the last.
GROWTH = 2 * MIB

BASE = """
[source.line1]
kind = "serial"
port = "{port}"
format = {{ kind = "raw" }}
fields = {{ n = {{}} }}

[sensor.line]
source = "line1"
field = "n"
unit = "nA"

[source.broker]
kind = "mqtt"
topic = "soak/+name/raw"
format = {{ kind = "json" }}
fields = {{ n = {{ pointer = "/n" }} }}

[sensors."{{name}}"]
source = "broker"
field = "n"
unit = "nA"
max = 100
""" + "".join(f"""
[sink.{sink}]
kind = "mqtt"
topic = "soak/up/{sink}/{{{{sensor}}}}"
delivery = "{sink}"
start = "oldest"
""" for sink in SINKS)
# What is added and taken away again; it gives readings of its own, which are not counted.
EXTRAS = {
    "sensor": '[sensor.line-again]\nsource = "line1"\nfield = "n"\nunit = "nA"\n',
    "source": '[source.more]\nkind = "mqtt"\ntopic = "more/+name/raw"\nformat = { kind = "raw" }\nfields = { n = {} }\n',
    "sink": '[sink.more]\nkind = "mqtt"\ntopic = "published/{sensor}"\nqos = 0\n',
    "tags": '[sensor.spare]\nsource = "line1"\nfield = "n"\nunit = "nA"\ntags = { site = "north" }\n',
}
FAULTS = {
    "unknown key": "[sensor.line-9]\nsauce = 1\n",
    "no TOML": "[sensor.line-9\n",
    "unknown source": '[sensor.line-9]\nsource = "line9"\nfield = "n"\nunit = "nA"\n',
}

# What the log says of each.
TAKEN = "the configuration is taken over"
AS_IT_WAS = "the configuration is as it was"
REFUSED = "the configuration is not taken over"


class Port:
    """A serial port with a device that counts, one number a line."""

    def __init__(self, path):
        self.path = path
        self.written = 0
        self.plugs = 0
        self.plug()

    def plug(self):
        self.device, self.far = pty.openpty()
        tty.setraw(self.far)
        fresh = self.path.with_suffix(".fresh")
        fresh.symlink_to(os.ttyname(self.far))
        fresh.replace(self.path)
        self.plugs += 1

    def begin(self):
        """What comes first after a port is opened may be half a line, and is dropped."""
        os.write(self.device, b"alf a line\n")

    def write(self):
        os.write(self.device, b"%d\n" % (self.written + 1))
        self.written += 1

    def taken(self):
        """Whether calibd has read all that was written."""
        waiting = array.array("i", [0])
        fcntl.ioctl(self.far, termios.FIONREAD, waiting)
        return waiting[0] == 0

    def unplug(self):
        # What was written may still be on its way to where it is counted.
        for _ in range(3):
            rig.until("the serial source to read its port", self.taken)
            time.sleep(0.1)
        # As udev does. The system gives the number of this terminal to the next one that anybody opens.
        self.path.unlink()
        os.close(self.device)
        os.close(self.far)


class Publisher:
    """Counts through the broker at QoS 1; a number that the broker acknowledged must be found again."""

    def __init__(self, broker):
        self.sent = 0
        self.under_way = {}
        self.done = collections.deque()
        self.acknowledged = set()
        self.client = rig.Client(broker, "soak-publisher", lasting=True)
        self.client.client.on_publish = lambda _client, _data, mid, *_: self.done.append(mid)

    def write(self):
        self.sent += 1
        topic = f"soak/{SENSORS[self.sent % len(SENSORS)]}/raw"
        self.under_way[self.client.publish(topic, json.dumps({"n": self.sent})).mid] = self.sent
        self.count()

    def count(self):
        """Notes what has been acknowledged; answers whether that is all."""
        while self.done:
            self.acknowledged.add(self.under_way.pop(self.done.popleft()))
        return not self.under_way


class Subscriber:
    """What each sink has published: for each number of a reading its sensor and its raw value."""

    def __init__(self, broker):
        self.seen = {sink: {} for sink in SINKS}
        self.again = 0
        self.conflicts = 0
        self.last = time.monotonic()
        self.client = rig.Client(broker, "soak-subscriber", self.on_message, ["soak/up/#"], lasting=True)

    def on_message(self, _client, _data, message):
        sink = message.topic.split("/")[2]
        reading = json.loads(message.payload)
        says = (sys.intern(reading["sensor"]), reading["raw"])
        before = self.seen[sink].setdefault(reading["seq"], says)
        self.again += before is not says
        self.conflicts += before != says
        self.last = time.monotonic()


class Soak:
    def __init__(self, arguments, directory):
        self.random = random.Random(arguments.seed)
        self.minutes = arguments.minutes
        self.reload = arguments.reload
        self.directory = directory
        self.tools = rig.Tools(arguments.release)
        self.broker = rig.Broker(directory / "broker")
        self.authority = rig.Authority(self.tools, directory / "authority")
        self.port = Port(directory / "tty")
        self.base = BASE.format(port=self.port.path)
        self.gateway = rig.Gateway(self.tools, directory / "gateway", self.broker, self.authority, self.base)
        names = ["line", *SENSORS]
        self.gateway.install({"all": self.authority.signed(rig.transform("all", names))})
        self.publisher = Publisher(self.broker)
        self.subscriber = Subscriber(self.broker)
        self.process = self.gateway.start()
        self.gateway.linked(self.process)
        self.await_port()
        self.resident = []
        self.happened = collections.Counter()
        self.valid_next = True
        self.problems = []

    def await_port(self):
        up = 'calibd_source_up{source="line1"}'
        rig.until("the serial source to open its port", lambda: self.process.check() or self.gateway.metrics().get(up) == 1, 120)
        self.port.begin()

    def run(self):
        """Everything at its pace until the time is over. Each thing that goes wrong has a thread of its own."""
        self.over = threading.Event()
        parts = [self.lines, self.messages, self.sample, self.restart_broker]
        threads = [threading.Thread(target=self.guarded, args=(part,)) for part in parts + [self.change] * self.reload]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60 * self.minutes
        while time.monotonic() < end and not self.over.wait(1):
            pass
        self.over.set()
        for thread in threads:
            thread.join()
        if self.problems:
            raise rig.Fault("; ".join(self.problems))

    def guarded(self, part):
        try:
            part()
        except Exception as problem:
            self.problems.append(f"{part.__name__}: {problem!r}")
            self.over.set()

    def pause(self, least, most):
        """Waits; answers whether there is time left."""
        return not self.over.wait(self.random.uniform(least, most))

    def lines(self):
        """The serial line, unplugged now and then."""
        while True:
            until = time.monotonic() + self.random.uniform(15, 60)
            while time.monotonic() < until and not self.over.wait(1 / LINES):
                self.port.write()
            if self.over.is_set():
                return
            self.port.unplug()
            self.happened["unplugged"] += 1
            self.over.wait(self.random.uniform(0.1, 5))
            self.port.plug()
            self.await_port()

    def messages(self):
        while not self.over.wait(1 / MESSAGES):
            self.publisher.write()

    def sample(self):
        while True:
            self.process.check()
            self.resident.append((time.monotonic(), self.process.resident()))
            if self.over.wait(10):
                return

    def restart_broker(self):
        while self.pause(20, 60):
            self.broker.stop()
            self.happened["broker restarted"] += 1
            self.over.wait(self.random.uniform(0, 5))
            self.broker.start()

    def change(self):
        while self.pause(10, 40):
            if self.valid_next:
                chosen = self.random.sample(sorted(EXTRAS), self.random.randint(0, len(EXTRAS)))
                text = "\n".join(EXTRAS[name] for name in chosen)
                self.happened["valid configurations"] += 1
            else:
                text = FAULTS[self.random.choice(sorted(FAULTS))]
                self.happened["invalid configurations"] += 1
            self.valid_next = not self.valid_next
            self.gateway.configure(self.base + "\n" + text)
            os.kill(self.process.pid, signal.SIGHUP)

    def settle(self):
        """Waits until all that was sent has had time to arrive everywhere, and stops calibd in order."""
        rig.until("the broker to acknowledge every message", self.publisher.count, 120)
        rig.until("the serial source to read its port", self.port.taken)

        def empty():
            self.process.check()
            backlogs = [v for k, v in self.gateway.metrics().items() if k.startswith("calibd_sink_backlog_readings")]
            return backlogs and not any(backlogs) and time.monotonic() - self.subscriber.last > 5

        rig.until("every sink to have everything", empty, 300)
        return self.process.stop()

    def stored(self):
        """Sensor and raw value of each reading in the history, by its number."""
        with sqlite3.connect(f"file:{self.gateway.store}/history.db?mode=ro", uri=True) as db:
            rows = db.execute(
                "SELECT r.seq, n.name, r.raw FROM readings r "
                "JOIN series s ON s.id = r.series JOIN sensors n ON n.id = s.sensor"
            )
            return {seq: (name, raw) for seq, name, raw in rows}

    def close(self):
        self.process.stop()
        self.broker.stop()


class Report:
    """Rows of a table, and whether all are as they must be."""

    def __init__(self):
        self.bad = 0
        print("| what | found | |\n| --- | --- | --- |")

    def row(self, what, found, good=True):
        self.bad += not good
        print(f"| {what} | {found} | {'' if good else 'BAD'} |", flush=True)


def judge(soak, code):
    report = Report()
    for what, count in sorted(soak.happened.items()):
        report.row(what, count)
    stored = soak.stored()
    report.row("readings stored", len(stored))
    judge_lines(report, stored, soak.port)
    judge_messages(report, stored, soak.publisher)
    judge_sinks(report, stored, soak.subscriber)
    judge_memory(report, soak.resident)
    judge_log(report, soak.gateway.log.read_text(errors="replace").splitlines(), soak.happened)
    report.row("exit code", code, code == 0)
    return 1 if report.bad else 0


def judge_lines(report, stored, port):
    times = collections.Counter(raw for name, raw in stored.values() if name == "line")
    lost = [n for n in range(1, port.written + 1) if n not in times]
    report.row(f"lines lost, of {port.written:,}", some(lost), not lost)
    again = [n for n, count in times.items() if count > 1]
    report.row("lines stored twice", some(again), not again)
    strange = [n for n in times if not 1 <= n <= port.written]
    report.row("lines that nobody wrote", some(strange), not strange)


def judge_messages(report, stored, publisher):
    times = collections.Counter(raw for name, raw in stored.values() if name in SENSORS)
    lost = [n for n in sorted(publisher.acknowledged) if n not in times]
    report.row(f"messages lost, of {len(publisher.acknowledged):,} acknowledged", some(lost), not lost)
    # At QoS 1 the broker may deliver again what was on its way when it ended.
    again = sum(count - 1 for count in times.values())
    report.row("messages stored again after a lost connection", again)
    strange = [n for n in times if not 1 <= n <= publisher.sent]
    report.row("messages that nobody sent", some(strange), not strange)


def judge_sinks(report, stored, subscriber):
    for sink, seen in subscriber.seen.items():
        lost = [seq for seq in stored if seq not in seen]
        report.row(f"readings that the {sink} sink did not publish", some(lost), not lost)
        others = [seq for seq, says in seen.items() if stored.get(seq) != says]
        report.row(f"readings of the {sink} sink that are not in the history", some(others), not others)
    report.row("readings published again", subscriber.again)
    report.row("numbers given to two readings", subscriber.conflicts, not subscriber.conflicts)


def judge_memory(report, resident):
    begun = resident[0][0]
    warm = [(at - begun, size) for at, size in resident if at - begun >= WARM]
    report.row("largest resident memory, MiB", f"{max(size for _, size in resident) / MIB:.2f}")
    if len(warm) < 8:
        report.row("growth of memory", "not judged: too short")
        return
    eighth = len(warm) // 8
    medians = [statistics.median(size for _, size in warm[n * eighth:][:eighth]) for n in range(8)]
    shown = " ".join(f"{median / MIB:.2f}" for median in medians)
    report.row("medians of the eighths, MiB", shown, medians[-1] - medians[0] < GROWTH)
    later = warm[len(warm) // 2:]
    slope = statistics.linear_regression([at for at, _ in later], [size for _, size in later]).slope
    report.row("slope of the second half, KiB an hour", f"{slope * 3600 / 1024:.0f}")


def judge_log(report, lines, happened):
    said = collections.Counter(what for line in lines for what in (TAKEN, AS_IT_WAS, REFUSED) if what in line)
    report.row("configurations taken over", f"{said[TAKEN]}, and {said[AS_IT_WAS]} alike",
               said[TAKEN] + said[AS_IT_WAS] == happened["valid configurations"])
    report.row("configurations refused", said[REFUSED], said[REFUSED] == happened["invalid configurations"])
    panics = [line for line in lines if "panicked" in line or "a fault of the program" in line]
    report.row("panics", some(panics), not panics)
    # A configuration that is refused and a port that is gone are somebody's to mend.
    expected = (REFUSED, "was it unplugged?")
    errors = [line for line in lines if " ERROR " in line and not any(what in line for what in expected)]
    report.row("other lines of level ERROR", some(errors), not errors)


def some(things):
    if not things:
        return "none"
    shown = ", ".join(str(thing) for thing in things[:3])
    return f"{len(things)}, such as {shown}"


def run(arguments):
    print(f"seed {arguments.seed}, {arguments.minutes:g} minutes", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="calibd-soak-"))
    soak = Soak(arguments, directory)
    try:
        soak.run()
        verdict = judge(soak, soak.settle())
    except BaseException:
        print(f"the files are left in {directory}")
        raise
    finally:
        soak.close()
    if verdict == 0:
        shutil.rmtree(directory)
    else:
        print(f"the files are left in {directory}")
    return verdict


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests/soak/run")
    parser.add_argument("--release", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--no-reload", dest="reload", action="store_false")
    rig.main(run, parser.parse_args())
