"""The platforms that people talk on: one folder each, with app, decode, render and chat."""
