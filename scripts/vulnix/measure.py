#!/usr/bin/env python3
"""Times two commands in turn, as whole processes, and prints wall time, processor time and largest resident set of each.

usage: measure.py RUNS LABEL_ONE COMMAND_ONE LABEL_TWO COMMAND_TWO (commands are given to the shell's `exec`)
"""
import os
import statistics
import subprocess
import sys
import time


def once(command):
    start = time.perf_counter()
    child = subprocess.Popen(["/bin/sh", "-c", "exec " + command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    # vulnix says 2 and aux says 1 where there are findings; a time of a program that failed is no time.
    if os.waitstatus_to_exitcode(status) not in (0, 1, 2):
        sys.exit(f"measure: exit {os.waitstatus_to_exitcode(status)}: {command}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    runs, sides = int(sys.argv[1]), list(zip(sys.argv[2::2], sys.argv[3::2]))
    measured = {label: [] for label, _ in sides}
    for _ in range(runs):
        for label, command in sides:
            measured[label].append(once(command))
    medians = []
    for label, _ in sides:
        walls, processors, peaks = zip(*measured[label])
        medians.append((statistics.median(walls), statistics.median(processors)))
        print(f"{label:<52}{min(walls):>9.3f}{medians[-1][0]:>9.3f}{medians[-1][1]:>9.3f}{max(peaks):>9.1f}", flush=True)
    if len(medians) == 2:
        wall, processor = (second / first for first, second in zip(*medians))
        print(f"{'  ratio of medians':<52}{'':>9}{wall:>9.0f}{processor:>9.0f}")


main()
