"""Kills BackupFS under load again and again, and checks after each death that nothing acknowledged is lost.

cli runs cycles (cycle) or reaches failpoints (points) in one world: a daemon, a disk, a backup storage. Workers (worker,
load) work in its mount and log what they do; models (model) follow the logs, and check compares everything with them.
"""
