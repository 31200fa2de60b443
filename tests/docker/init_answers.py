#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers a command's questions on a terminal of its own.

usage: init_answers.py ANSWER... -- COMMAND...

Each time that the command's output ends like a question, the next answer is typed; "^D" ends the input, and "!SHELL" runs a
command of the shell and goes on with the next answer. Prints what a user would see, and exits with the command's status;
130 if the command asks more than there are answers, or falls silent.
"""
import os
import pty
import re
import select
import subprocess
import sys

QUESTION = re.compile(rb"\?( \[[^]\n]*\])? $|\]\? $")
SILENCE_S = 60


def answer(terminal, answers):
    while answers:
        text = answers.pop(0)
        if not text.startswith("!"):
            os.write(terminal, b"\x04" if text == "^D" else text.encode() + b"\n")
            return True
        subprocess.run(["sh", "-c", text[1:]], check=True)
    return False


def main():
    at = sys.argv.index("--")
    answers, command = sys.argv[1:at], sys.argv[at + 1:]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    said, seen = b"", 0
    while True:
        if not select.select([terminal], [], [], SILENCE_S)[0]:
            os.kill(child, 9)
            break
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the command has ended
            data = b""
        if not data:
            break
        said += data
        if QUESTION.search(said[seen:]):
            seen = len(said)
            if not answer(terminal, answers):
                os.kill(child, 9)
                break
    sys.stdout.write(said.decode(errors="replace").replace("\r", ""))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(code if code >= 0 else 130)


main()
