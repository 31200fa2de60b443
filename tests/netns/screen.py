# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs a command on a terminal of its own, and is what a person does and sees there.
#
# usage: screen.py COLUMNSxROWS STEP… -- COMMAND…
#
#   wait:TEXT       until it is on the screen; without a text, until anything is
#   gone:TEXT       until it is not there any more
#   show            prints the screen, without blanks at the ends of lines
#   colours         prints whether the screen is in colour
#   size:CxR        makes the terminal another size
#   key:KEYS        types them
#   signal:NAME     sends it to the command
#   stopped         waits until it is stopped; prints what it has left behind
#   left:WHEN       prints what it has left behind then
#   run:COMMAND     runs another command meanwhile
#   end             waits for the command's end; prints how it ended, and what it has left behind
import fcntl
import os
import re
import select
import signal
import struct
import sys
import termios

import calm

TIMEOUT = 30


class Screen:
    """As much of a terminal as the page needs; anything else is a fault."""

    def __init__(self, columns, rows):
        self.modes = {}
        self.coloured = False
        self.faults = []
        self.pending = b""
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[" "] * columns for _ in range(rows)]
        self.x = self.y = 0

    def feed(self, data):
        data = self.pending + data
        self.pending = b""
        while data:
            if data[:1] == b"\033":
                found = re.match(rb"\033\[([?0-9;]*)([A-Za-z])", data)
                if not found:
                    self.pending = data
                    return
                self.control(found[1].decode(), found[2].decode())
                data = data[found.end():]
                continue
            n = 1 if data[0] < 0x80 else 2 if data[0] < 0xe0 else 3 if data[0] < 0xf0 else 4
            if len(data) < n:
                self.pending = data
                return
            self.put(data[:n].decode())
            data = data[n:]

    def control(self, arguments, letter):
        if letter == "H" and not arguments:
            self.x = self.y = 0
        elif letter == "K" and not arguments:
            self.lines[self.y][self.x:] = [" "] * (self.columns - self.x)
        elif letter == "J" and not arguments:
            self.control("", "K")
            for y in range(self.y + 1, self.rows):
                self.lines[y] = [" "] * self.columns
        elif letter == "m":
            self.coloured |= arguments not in ("", "0")
        elif letter in "hl" and arguments.startswith("?"):
            self.modes[arguments[1:]] = letter == "h"
        else:
            self.faults.append(f"ESC [ {arguments} {letter}")

    def put(self, character):
        if character == "\r":
            self.x = 0
        elif character == "\n":
            if self.y + 1 == self.rows:
                self.faults.append("it scrolls")
            else:
                self.y += 1
        elif ord(character) < 32:
            self.faults.append(f"control character {ord(character)}")
        elif self.x == self.columns:
            self.faults.append(f"line {self.y + 1} is too long")
        else:
            self.lines[self.y][self.x] = character
            self.x += 1

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip("\n")


class Terminal:
    def __init__(self, columns, rows, command):
        self.master, slave = os.openpty()
        self.slave = slave
        self.screen = Screen(columns, rows)
        self.set_size(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.environ["TERM"] = os.environ.get("TERM", "xterm")
            os.execvp(command[0], command)

    def set_size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.screen.feed(os.read(self.master, 65536))
        return bool(ready)

    def until(self, condition, what):
        over = calm.limit(TIMEOUT)
        while not condition():
            if over():
                print(f"{what}: not within {TIMEOUT} s; the screen:\n{self.screen.text()}")
                os.kill(self.pid, signal.SIGKILL)
                sys.exit(1)
            self.read(0.05)

    def settle(self):
        while self.read(0.1):
            pass

    def resize(self, columns, rows):
        self.settle()
        self.screen.resize(columns, rows)
        self.set_size(columns, rows)

    def end(self):
        status = []

        def ended():
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status.append(code) if pid else None
            return bool(pid)

        self.until(ended, "the end")
        code = status[0]
        self.tell(signal.Signals(os.WTERMSIG(code)).name if os.WIFSIGNALED(code)
                  else f"exit status {os.WEXITSTATUS(code)}")

    def stopped(self):
        self.until(lambda: os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)[0] != 0, "the stop")
        self.tell("stopped")

    def tell(self, how):
        self.settle()
        modes = self.screen.modes
        left = [name for name, wrong in (
            ("the alternate screen", modes.get("1049", False)), ("a hidden cursor", not modes.get("25", True)),
            ("cut lines", not modes.get("7", True)), ("a raw terminal", termios.tcgetattr(self.slave) != self.before),
        ) if wrong]
        print(f"{how}; left behind: {', '.join(left) or 'nothing'}")


def main():
    split = sys.argv.index("--")
    columns, rows = map(int, sys.argv[1].split("x"))
    terminal = Terminal(columns, rows, sys.argv[split + 1:])
    for step in sys.argv[2:split]:
        name, _, argument = step.partition(":")
        if name == "wait":
            terminal.until(lambda text=argument: terminal.screen.text() and text in terminal.screen.text(), step)
        elif name == "gone":
            terminal.until(lambda text=argument: text not in terminal.screen.text(), step)
        elif name == "show":
            terminal.settle()
            print(terminal.screen.text())
        elif name == "colours":
            print("in colour" if terminal.screen.coloured else "plain")
        elif name == "size":
            terminal.resize(*map(int, argument.split("x")))
        elif name == "key":
            os.write(terminal.master, argument.encode())
        elif name == "signal":
            os.kill(terminal.pid, signal.Signals[f"SIG{argument}"])
        elif name == "stopped":
            terminal.stopped()
        elif name == "left":
            terminal.tell(argument)
        elif name == "run":
            os.system(argument)
        elif name == "end":
            terminal.end()
    for fault in terminal.screen.faults:
        print(f"the screen: {fault}")


main()
