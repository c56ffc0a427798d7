"""A study as the events of its journal, and the state that follows from them. Writes only journals and heartbeats."""
