"""Stands in for systemd where none can run: holds the sockets and runs the services of the units
that are installed, as they say, and does what `systemctl` asks.

    stand_in_manager.py serve             the manager, until it is killed
    stand_in_manager.py ctl ARGUMENT...   systemctl; also when it is called by that name
"""

import configparser
import grp
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time

CONTROL = "/run/stand-in-manager"
UNITS = "/usr/lib/systemd/system"


def unit(name):
    """A unit file: one value for each key, as far as these tests need them."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(f"{UNITS}/{name}")
    return parser


class Manager:
    """One socket unit and the service that it starts."""

    def __init__(self):
        self.listening = None
        self.process = None

    def do(self, verb, names):
        """What a verb of systemctl does; its exit status."""
        for name in names:
            socket_unit = name.endswith(".socket")
            if verb == "is-active":
                return 0 if (self.listening if socket_unit else self.runs()) else 3
            if verb in ("stop", "restart", "try-restart"):
                self.stop_socket() if socket_unit else self.stop()
            if verb == "start" or verb == "restart":
                self.listen() if socket_unit else self.start()
        return 0

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def listen(self):
        """Binds the socket of linajed.socket; the service starts with it, which systemd would do
        at the first connection."""
        if self.listening is None:
            settings = unit("linajed.socket")["Socket"]
            path = settings["ListenStream"]
            os.makedirs(os.path.dirname(path), int(settings["DirectoryMode"], 8), exist_ok=True)
            self.listening = socket.socket(socket.AF_UNIX)
            self.listening.bind(path)
            os.chmod(path, int(settings["SocketMode"], 8))
            os.chown(path, pwd.getpwnam(settings.get("SocketUser", "root")).pw_uid,
                     grp.getgrnam(settings["SocketGroup"]).gr_gid)
            self.listening.listen(4096)
        if not self.runs():
            self.start()

    def stop_socket(self):
        if self.listening is not None:
            os.unlink(self.listening.getsockname())
            self.listening.close()
            self.listening = None

    def start(self):
        """Starts ExecStart of linajed.service as its user, the socket as descriptor 3."""
        settings = unit("linajed.service")["Service"]
        user = pwd.getpwnam(settings["User"])
        state = "/var/lib/" + settings["StateDirectory"]
        descriptor = self.listening.fileno()

        def become():
            os.dup2(descriptor, 3)
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)

        # The shell names its own process in LISTEN_PID: it stays the same when it turns into linajed.
        command = ["sh", "-c", f"LISTEN_PID=$$ exec {settings['ExecStart']}"]
        with open("/var/log/linajed.log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=become,
                pass_fds=(3,), env={"PATH": os.environ["PATH"], "LISTEN_FDS": "1",
                                    "STATE_DIRECTORY": state, "RUNTIME_DIRECTORY": "/run/linaje"})

    def stop(self):
        if self.runs():
            self.process.terminate()
            self.process.wait(30)


def serve():
    os.dup2(os.open("/dev/null", os.O_RDONLY), 3)  # Kept free for the socket of the service.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    manager = Manager()
    control = socket.socket(socket.AF_UNIX)
    control.bind(CONTROL)
    control.listen(16)
    while True:
        peer, _ = control.accept()
        with peer, peer.makefile("rw", encoding="utf-8") as lines:
            verb, names = json.loads(lines.readline())
            try:
                status = manager.do(verb, names)
            except (OSError, KeyError, subprocess.SubprocessError) as error:
                print(f"{verb} {names}: {error!r}", file=sys.stderr, flush=True)
                status = 1
            lines.write(f"{status}\n")


def control(arguments):
    words = [word for word in arguments if not word.startswith("-")]
    with open("/run/systemctl.log", "a", encoding="utf-8") as log:
        print(*words, file=log)
    verb, names = words[0], words[1:]
    if verb in ("enable", "disable", "preset", "mask", "unmask", "is-enabled"):
        # Links between files, which the real one makes without a manager.
        os.execve("/usr/bin/systemctl", ["systemctl", *arguments],
                  {**os.environ, "SYSTEMD_OFFLINE": "1"})
    if verb == "daemon-reload":
        return 0
    peer = socket.socket(socket.AF_UNIX)
    for _ in range(1_000):
        try:
            peer.connect(CONTROL)
            break
        except OSError:
            time.sleep(0.01)
    with peer, peer.makefile("rw", encoding="utf-8") as lines:
        lines.write(json.dumps([verb, names]) + "\n")
        lines.flush()
        return int(lines.readline())


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    sys.exit(control(sys.argv[2:] if sys.argv[1:2] == ["ctl"] else sys.argv[1:]))
