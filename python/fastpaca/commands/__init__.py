"""The subcommands of `fastpaca`, one module each with `add_to`. What a subcommand needs is imported when it runs."""
