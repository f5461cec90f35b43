"""What moves bytes and waits: the only rooms that know aiohttp's client and asyncio."""
