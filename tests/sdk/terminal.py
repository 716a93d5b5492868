"""Runs a program at a terminal of its own and answers its first question: PROGRAM [ARGUMENT ...], the answer on standard input.

The answer is typed when the question is there: who asks for a secret throws away what was typed before.
"""

import os
import pty
import re
import sys

answer = sys.stdin.readline().encode()
seen = b""


def read(terminal):
    global seen, answer
    printed = os.read(terminal, 4096)
    seen += printed
    if answer and re.search(rb"quit: ?$|enter: ?$", seen):
        os.write(terminal, answer)
        answer = b""
    return printed


sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))
