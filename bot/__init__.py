"""The program: command line, settings, wiring, logs and the DashScope simulator."""
