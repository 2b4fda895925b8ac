"""The daemon and what belongs to it: schedule, jobs, notifications, web server."""
