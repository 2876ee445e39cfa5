"""Who speaks to people: one folder a platform, each with app, decode, render and chat."""
