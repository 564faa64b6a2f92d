"""Bridges between the loop and its surroundings: asyncio, Twisted, resolvers."""
