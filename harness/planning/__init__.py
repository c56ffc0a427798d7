"""What a study does next, and what it may still spend. Pure: no file, no process, no clock."""
