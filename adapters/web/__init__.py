"""The web as a platform: the room (chat in a browser), the mask painter, picture pages, health."""
