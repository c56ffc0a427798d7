"""What a study does next, and what it may still spend. Pure: no files, processes or clocks."""
