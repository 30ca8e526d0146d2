"""The command `grpo-rs`: verify the predictions in a file, check the golds of a data set."""

from grpo_rs.cli.command_line import main

__all__ = ["main"]
