"""Counts the files of our own whose code runs in one real execution of a flow.

    python -m llamalog_tools.flow_files [--only timeline] [--functions]

Three flows are executed on a local PostgreSQL and Kafka, each in the process that executes it in production,
started by its public command: (a) an event from Kafka's bytes to its committed offset (`llamalog consumer`),
(b) a timeline over HTTP (`llamalog api`), (c) a rebuild with repair (`llamalog rebuild --repair`).

A file counts if a function of it is executed by the flow. Not counted is code that runs

- when a module is imported: module bodies, class bodies, decorators;
- at the start of the process: the consumer and the API have handled an event and a request before the one
  that is recorded; a rebuild is recorded from the first coroutine of the package `rebuild` to the end of the
  process, so that options, settings and the composition of its parts come before;
- beside the flow: a task or thread that executes nothing which it does not also execute while nothing is to
  be done (heartbeats, probes, the monitor's thread).

Files are those of the distributions `llamalog-service` and `llamalog-schemas`; SQL is not counted.
"""
