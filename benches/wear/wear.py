"""What calibd writes to a disk, by the kernel's counters; see `run` beside this file."""

import argparse
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import rig

MIB = 1 << 20
SECTOR = 512
DISK = 4096 * MIB
PERIOD = 0.1
# A card of 16 GB whose cells stand 1,000 cycles, and that writes ten times what it is given: small writes are dear.
CARD, CYCLES, AMPLIFICATION = 16e9, 1_000, 10
YEAR = 365.25 * 86_400

SINK = f"""
[sink.uplink]
kind = "mqtt"
topic = "{rig.UP.replace(rig.FLEET, "{fleet}").replace(rig.GATEWAY, "{gateway}")}/reading/{{sensor}}"
"""


def config(names, profile):
    """Invented sensors, ten values a second each, all of them published."""
    fields = "\n".join(f"{name} = {{ level = 500, noise = {{ std = 5 }} }}" for name in names)
    sensors = "\n".join(f'[sensor.{name}]\nsource = "made"\nfield = "{name}"\nunit = "nA"\n' for name in names)
    return f"""
[source.made]
kind = "synthetic"
period = "{PERIOD}s"
[source.made.fields]
{fields}

{sensors}{SINK}""", f'profile = "{profile}"\n'


class Disk:
    """A file system of its own on a loop device, whose writes nobody else has a share in."""

    def __init__(self, stack, directory):
        image, self.mount = directory / "disk", directory / "mount"
        image.touch()
        os.truncate(image, DISK)
        self.mount.mkdir()
        run = lambda *command: subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self.device = run("losetup", "--find", "--show", image)
        stack.callback(run, "losetup", "--detach", self.device)
        # What mkfs leaves to be done in the background would be counted.
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.device)
        run("mount", self.device, self.mount)
        stack.callback(run, "umount", self.mount)

    def written(self):
        """Bytes that arrived at the device."""
        stat = Path("/sys/block", Path(self.device).name, "stat").read_text().split()
        return int(stat[6]) * SECTOR


class Load:
    """One calibd with its broker."""

    def __init__(self, stack, tools, directory, count, profile):
        self.rate, self.profile = count / PERIOD, profile
        directory.mkdir()
        names = [f"s-{n:02}" for n in range(count)]
        broker = rig.Broker(directory / "broker")
        stack.callback(broker.stop)
        authority = rig.Authority(tools, directory / "authority")
        self.disk = Disk(stack, directory)
        text, store = config(names, profile)
        gateway = rig.Gateway(tools, directory / "gateway", broker, authority, text)
        gateway.head = gateway.head.replace(str(gateway.store), str(self.disk.mount / "store"))
        gateway.head = gateway.head.replace("[store]\n", "[store]\n" + store)
        gateway.configure(text)
        transform = rig.transform("t", names)
        gateway.install({"t": authority.signed(transform)})
        self.gateway, self.process = gateway, gateway.start()
        stack.callback(self.process.stop)
        gateway.linked(self.process)

    def begin(self):
        self.before = self.disk.written(), self.readings(), self.handed()

    def readings(self):
        return rig.until("the metrics", lambda: self.gateway.metrics().get("calibd_readings_stored_total"))

    def handed(self):
        """Bytes that the process has handed to the block layer."""
        self.process.check()
        lines = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))

    def end(self, seconds):
        os.sync()
        device, rows, handed = (after - before for after, before in zip(
            (self.disk.written(), self.readings(), self.handed()), self.before))
        rate = rows / seconds
        years = CARD * CYCLES / AMPLIFICATION / (device / seconds * YEAR)
        print(f"| {self.rate:.0f} | {self.profile} | {rows:,.0f} | {handed / rows:,.0f} | {device / rows:,.0f} "
              f"| {device / seconds * 86_400 / 1e9:.2f} GB | {years:.1f} |", flush=True)
        return rate


def run(arguments):
    tools = rig.Tools(arguments.release)
    with tempfile.TemporaryDirectory(prefix="calibd-wear-", dir="/var/tmp") as directory, ExitStack() as stack:
        loads = [
            Load(stack, tools, Path(directory) / f"{count}-{profile}", count, profile)
            for count in (1, 10) for profile in ("default", "low-wear")
        ]
        begun = time.monotonic()
        for load in loads:
            load.begin()
        while time.monotonic() < begun + 60 * arguments.minutes:
            time.sleep(1)
            for load in loads:
                load.process.check()
        print("| readings a second | profile | readings | bytes handed over | bytes at the device | a day | years of the card |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for load in loads:
            load.end(time.monotonic() - begun)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benches/wear/run")
    parser.add_argument("--release", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    rig.main(run, parser.parse_args())
